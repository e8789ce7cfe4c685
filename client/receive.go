package client

import (
	"bytes"
	"time"

	"baton/client/wire"
)

func (c *Client) read(l *link) {
	for {
		data, err := l.conn.Read()
		if err != nil {
			c.ended(l, err)
			return
		}
		c.receive(l, data)
	}
}

// receive takes one frame. What a connection says after it was handed over is
// old news: the session message of the next one has said it all.
func (c *Client) receive(l *link, data []byte) {
	c.telling.Lock()
	defer c.telling.Unlock()
	if !c.isLive(l) {
		return
	}
	if c.cfg.Trace.Frame != nil {
		c.cfg.Trace.Frame(l.conn.Attempt, data)
	}
	frame, err := wire.ParseFrame(data)
	if err != nil {
		c.cut(l, err)
		return
	}
	switch frame.Type {
	case wire.TypeReply:
		c.replied(l, frame.Count)
	case wire.TypeReconnect:
		within := time.Duration(max(frame.WithinMS, 0)) * time.Millisecond
		c.handover(within)
		tell(c.cfg.Events.Reconnect, within)
	case wire.TypeHeartbeat:
		tell(c.cfg.Events.Heartbeat, frame.TS)
	default:
		tell(c.cfg.Events.Message, bytes.Clone(data))
	}
}

func (c *Client) isLive(l *link) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.live == l
}

func (c *Client) replied(l *link, count uint64) {
	c.mu.Lock()
	acked, foreign := c.ledger.reply(count)
	if len(acked) > 0 {
		l.proved = true
		c.announceProgress()
	}
	c.mu.Unlock()
	c.tellAcked(acked, count)
	tellIf(c.cfg.Events.Foreign, foreign)
}

func (c *Client) tellAdopted(hello wire.Frame, attempt uint64, acked []message, reset *Reset, foreign *Foreign) {
	if c.cfg.Trace.Open != nil {
		c.cfg.Trace.Open(attempt, hello.Count)
	}
	tell(c.cfg.Events.Session, Session{
		ID: hello.SessionID, Count: hello.Count, Resumed: hello.Resumed,
		Color: hello.Color, Instance: hello.Instance, Attempt: attempt,
	})
	tellIf(c.cfg.Events.Reset, reset)
	tellIf(c.cfg.Events.Foreign, foreign)
	c.tellAcked(acked, hello.Count)
}

// tellAcked tells of messages of which the last one has this count.
func (c *Client) tellAcked(acked []message, count uint64) {
	if c.cfg.Events.Ack == nil {
		return
	}
	now := time.Now()
	for i, m := range acked {
		c.cfg.Events.Ack(Ack{Seq: m.seq, Count: count - uint64(len(acked)-1-i), Latency: now.Sub(m.at)})
	}
}

func tellIf[T any](f func(T), value *T) {
	if value != nil {
		tell(f, *value)
	}
}
