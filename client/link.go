package client

import (
	"errors"
	"time"

	"baton/client/wire"
)

// silences is how many KeepAlives in a row may pass without a sign of life.
const silences = 3

var errSilent = errors.New("the server fell silent")

// link is one connection in the client's care. Its fields but conn and opened
// need the client's mu.
type link struct {
	conn    *wire.Conn
	opened  time.Time
	watch   *time.Timer
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
			c.cut(l, err)
			return
		}
	}
}

// cut gives a connection up; its reader then sees it end.
func (c *Client) cut(l *link, reason error) {
	c.mu.Lock()
	if l.cut == nil {
		l.cut = reason
	}
	c.mu.Unlock()
	l.conn.Abort()
}

// guard looks after a connection on which nothing arrives. It needs mu.
func (c *Client) guard(l *link) {
	l.watch = time.AfterFunc(c.cfg.KeepAlive, func() {
		silence := time.Since(l.conn.Heard())
		if silence >= silences*c.cfg.KeepAlive {
			c.cut(l, errSilent)
			return
		}
		if silence >= c.cfg.KeepAlive {
			_ = l.conn.Ping() // one that can't leave is answered by silence
		}
		c.mu.Lock()
		if c.live == l {
			l.watch.Reset(c.cfg.KeepAlive)
		}
		c.mu.Unlock()
	})
}

// end frees the socket and the timer.
func (l *link) end() {
	l.watch.Stop()
	l.conn.Abort()
}

// why is what ended the connection, where err is what its reader saw.
func (l *link) why(err error) error {
	if l.cut != nil && wire.CloseCode(err) == closeAbnormal {
		return l.cut
	}
	return err
}

// usableUntil is when the connection could take a message for the last time,
// as far as can be known: one that fell silent died before that was noticed.
func (l *link) usableUntil(why error) time.Time {
	if errors.Is(why, errSilent) {
		return l.conn.Heard()
	}
	return time.Now()
}
