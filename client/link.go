package client

import (
	"time"

	"baton/client/wire"
)

// link is one connection in the client's care. Its fields but conn and opened
// need the client's mu.
type link struct {
	conn    *wire.Conn
	opened  time.Time
	pumping bool  // a goroutine writes to it
	proved  bool  // it acknowledged something
	cut     error // why the client itself cut it
}

// pump starts a goroutine that writes what waits, unless there is one
// already. An idle client has none. It needs mu.
func (c *Client) pump() {
	l := c.live
	if l == nil || l.pumping || c.over() || c.ledger.written >= len(c.ledger.pending) {
		return
	}
	l.pumping = true
	c.owned.Go(func() { c.write(l) })
}

// write writes until nothing waits or another connection took over. It keeps
// no lock while it does: the socket may be full, and replies must go on.
func (c *Client) write(l *link) {
	for {
		c.mu.Lock()
		text, more := "", false
		if c.live == l && !c.over() {
			text, more = c.ledger.next()
		}
		l.pumping = more
		c.mu.Unlock()
		if !more {
			return
		}
		if err := l.conn.Write(text, c.cfg.WriteTimeout); err != nil {
			// The server may have said why before it stopped listening.
			c.blame(l, err)
			l.conn.Expire(closeGrace)
			return
		}
	}
}

// cut gives a connection up; its reader then sees it end.
func (c *Client) cut(l *link, reason error) {
	c.blame(l, reason)
	l.conn.Abort()
}

func (c *Client) blame(l *link, reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.cut == nil {
		l.cut = reason
	}
}

// why is what ended the connection, where err is what its reader saw.
func (l *link) why(err error) error {
	if l.cut != nil && wire.CloseCode(err) == closeAbnormal {
		return l.cut
	}
	return err
}
