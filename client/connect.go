package client

import (
	"fmt"
	"math/rand/v2"
	"time"

	"baton/client/wire"
)

// connect starts the one goroutine that makes the next connection, after
// delay. It needs mu, and a client that is not over.
func (c *Client) connect(delay time.Duration) {
	c.connecting = true
	c.hurry = make(chan struct{}, 1)
	hurry := c.hurry
	c.owned.Go(func() { c.keepTrying(delay, hurry) })
}

// keepTrying ends with a connection, which it then reads until that ends, or
// with the client.
func (c *Client) keepTrying(delay time.Duration, hurry <-chan struct{}) {
	for c.pause(delay, hurry) {
		conn, hello, err := c.try()
		if err == nil {
			if l := c.adopt(conn, hello); l != nil {
				c.read(l)
			}
			return
		}
		if c.ctx.Err() != nil {
			return
		}
		wait, final := c.failed(err)
		if final != nil {
			c.finish(final)
			return
		}
		delay, hurry = wait, nil
	}
}

// pause waits, unless hurry or the client's end come first; it tells whether
// to go on.
func (c *Client) pause(delay time.Duration, hurry <-chan struct{}) bool {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-hurry:
		return c.pause(rand.N(c.cfg.BackoffMin), nil)
	case <-c.ctx.Done():
	}
	return c.ctx.Err() == nil
}

func (c *Client) try() (*wire.Conn, wire.Frame, error) {
	c.mu.Lock()
	number := c.attempts.next(time.Now())
	c.trying = number
	session := c.cfg.SessionID
	c.mu.Unlock()
	c.telling.Lock()
	tell(c.cfg.Trace.Attempt, number)
	c.telling.Unlock()
	return c.cfg.Dialer.Baton(c.ctx, c.cfg.URL, session, number)
}

// failed tells how long to wait after an attempt that failed, or why there
// will be no other.
func (c *Client) failed(err error) (wait time.Duration, final error) {
	c.telling.Lock()
	defer c.telling.Unlock()
	c.mu.Lock()
	fenced := c.fencedBy != 0
	c.lastError, c.trying, c.fencedBy = err, 0, 0
	if isStale(err) {
		c.attempts.stale++
	}
	switch {
	case wire.CloseCode(err) == closeTakenOver:
		final = ErrTakenOver
	case c.cfg.ownName && !c.hadSession && isUnsigned(err):
		c.cfg.SessionID, c.cfg.ownName = "", false // the server names it
	case hopeless(err, c.hadSession):
		final = fmt.Errorf("client: connect: %w", err)
	case c.attempts.stale > staleMax:
		final = fmt.Errorf("%w: %w", ErrStaleAttempt, err)
	default:
		wait = c.backoff.Wait(err)
	}
	cause := c.cause
	c.mu.Unlock()
	if fenced && final == nil {
		tell(c.cfg.Events.Lost, cause)
	}
	if final == nil && c.cfg.Events.Retry != nil {
		c.cfg.Events.Retry(err, wait)
	}
	return wait, final
}

// adopt makes conn the connection in use. From its claim on the server counts
// nothing of the old one, so its session message settles what was in flight:
// counted up to there, to be written again above.
func (c *Client) adopt(conn *wire.Conn, hello wire.Frame) *link {
	c.telling.Lock()
	defer c.telling.Unlock()
	c.mu.Lock()
	if c.over() {
		c.mu.Unlock()
		conn.Abort()
		return nil
	}
	l := &link{conn: conn, opened: time.Now()}
	old := c.live
	gap := c.gap(l)
	acked, reset, foreign := c.ledger.resume(hello.Count)
	gap.Resent = c.ledger.touched
	c.live, c.connecting, c.trying, c.fencedBy, c.attempts.stale = l, false, 0, 0, 0
	first := !c.hadSession
	c.hadSession = true
	if hello.SessionID != "" {
		c.cfg.SessionID = hello.SessionID // it may be signed anew
	}
	conn.Watch(c.cfg.KeepAlive)
	c.pump()
	c.announceProgress()
	if old != nil {
		c.owned.Go(func() { old.conn.Bye(closeGrace) })
	}
	c.mu.Unlock()

	c.tellAdopted(hello, conn.Attempt, acked, reset, foreign)
	if first {
		close(c.ready)
	} else {
		tell(c.cfg.Events.Gap, gap)
	}
	return l
}

// gap is the way to the connection next, which is about to be adopted. If its
// claim ended the one before, it could take messages from then on.
func (c *Client) gap(next *link) Gap {
	if c.live != nil || c.fencedBy == next.conn.Attempt {
		return Gap{Handover: true}
	}
	return Gap{Duration: next.opened.Sub(c.lost), Cause: c.cause}
}

// ended decides what follows the end of a connection.
func (c *Client) ended(l *link, err error) {
	l.conn.Abort()
	if final := c.lose(l, err); final != nil {
		c.finish(final)
	}
}

// lose starts the way to the next connection, or says why there is none.
func (c *Client) lose(l *link, err error) (final error) {
	c.telling.Lock()
	defer c.telling.Unlock()
	c.mu.Lock()
	if c.live != l { // handed over, or the client has ended
		c.mu.Unlock()
		return nil
	}
	why := l.why(err)
	c.live, c.lost, c.cause = nil, l.conn.UsableUntil(why), why
	if l.proved || time.Since(l.opened) > c.cfg.BackoffMax {
		c.backoff.Reset()
	}
	final = c.verdict(l, why)
	if wire.CloseCode(why) == closeTakenOver {
		c.fencedBy = c.trying
	}
	handover := c.fencedBy != 0
	switch {
	case final != nil:
	case c.connecting:
		c.hurry <- struct{}{}
	default:
		c.connect(c.backoff.Wait(why))
	}
	c.mu.Unlock()
	if final == nil && !handover {
		tell(c.cfg.Events.Lost, why)
	}
	return final
}

// verdict is the reason to stop after a connection ended, nil to resume. 4001
// means another client, unless this one has tried to connect since: then its
// own handshake, whose answer was lost or is on its way, may have done it.
func (c *Client) verdict(l *link, why error) error {
	code := wire.CloseCode(why)
	switch {
	case c.closing:
		return ErrClosed
	case code == closeTakenOver && c.attempts.last == l.conn.Attempt:
		return ErrTakenOver
	case rejects(code):
		return fmt.Errorf("client: the server takes no such message: %w", why)
	}
	return nil
}

// handover moves to a new connection at a random moment while this one still
// counts; the last fifth of the time is left for the handshake.
func (c *Client) handover(within time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cfg.NoHandover || c.connecting || c.over() {
		return
	}
	c.connect(rand.N(max(within*4/5, 1)))
}
