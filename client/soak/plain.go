package soak

import (
	"context"
	"sync"
	"time"

	"baton/client/wire"
)

const (
	backoffMin   = 50 * time.Millisecond
	backoffMax   = 2 * time.Second
	writeTimeout = 10 * time.Second
	ticksKept    = 8 // messages a plain client is behind by at most
	closeGrace   = 2 * time.Second
)

// plain is a participant without the baton.v1 protocol: it connects again
// with its session_id, and does not send again.
type plain struct {
	soak    *soak
	judge   plainJudge
	text    string
	ticks   chan struct{}
	owned   sync.WaitGroup
	cancel  context.CancelFunc
	backoff wire.Backoff

	mu      sync.Mutex
	session string
}

func newPlain(s *soak) *plain {
	return &plain{
		soak: s, judge: plainJudge{tally: s.tally}, text: filler(s.cfg.Size),
		ticks:   make(chan struct{}, ticksKept),
		backoff: wire.Backoff{Min: backoffMin, Max: backoffMax},
	}
}

func (p *plain) start(ctx context.Context) {
	ctx, p.cancel = context.WithCancel(ctx)
	p.owned.Go(func() { p.live(ctx) })
}

// live is one connection after the other.
func (p *plain) live(ctx context.Context) {
	var lost time.Time
	for ctx.Err() == nil {
		conn, err := p.soak.dialer.Plain(ctx, p.soak.cfg.URLs[0], p.name())
		if err != nil {
			if ctx.Err() == nil {
				p.soak.tally.refused(err)
			}
			pause(ctx, p.backoff.Wait(err))
			continue
		}
		if !lost.IsZero() {
			p.soak.tally.reconnected(time.Since(lost), false)
		}
		lost = p.use(ctx, conn)
		pause(ctx, p.backoff.Wait(nil))
	}
}

// use sends and reads until the connection ends.
func (p *plain) use(ctx context.Context, conn *wire.Conn) (usableUntil time.Time) {
	p.judge.open()
	p.adopt(conn)
	conn.Watch(p.soak.cfg.KeepAlive)
	ended, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { conn.Bye(closeGrace) })
	defer stop()
	p.owned.Go(func() { p.write(ended, conn) })
	for {
		data, err := conn.Read()
		if err != nil {
			conn.Abort()
			p.soak.tally.connected(-1)
			return conn.UsableUntil(err)
		}
		p.frame(data)
	}
}

func (p *plain) frame(data []byte) {
	frame, err := wire.ParseFrame(data)
	switch {
	case err != nil:
		p.soak.tally.problem("read a frame", err)
	case frame.Type == wire.TypeReply:
		p.judge.reply(frame.Count)
		p.backoff.Reset()
	case frame.Type != wire.TypeHeartbeat:
		p.soak.tally.problem("a plain client got", errNotPlain(frame.Type))
	}
}

func (p *plain) write(ctx context.Context, conn *wire.Conn) {
	for {
		select {
		case <-p.ticks:
		case <-ctx.Done():
			return
		}
		if ctx.Err() != nil {
			return
		}
		p.judge.sending()
		p.soak.tally.sent(1)
		if err := conn.Write(p.text, writeTimeout); err != nil {
			conn.Expire(closeGrace)
			return
		}
	}
}

func (p *plain) tick() {
	select {
	case p.ticks <- struct{}{}:
	default:
		p.soak.tally.skipped()
	}
}

func (p *plain) settled() bool { return len(p.ticks) == 0 && p.judge.waiting() == 0 }

func (p *plain) stop(context.Context) {
	if p.cancel == nil {
		return // never started
	}
	p.cancel()
	p.owned.Wait()
}

func (p *plain) suspect() suspect {
	return suspect{session: p.name(), attempt: 0, final: p.judge.final}
}

func (p *plain) name() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.session
}

// adopt keeps the name that the server gave the session.
func (p *plain) adopt(conn *wire.Conn) {
	p.mu.Lock()
	first := p.session == ""
	if first {
		p.session = conn.SessionID
	}
	p.mu.Unlock()
	if first {
		p.soak.tally.joined()
	}
	p.soak.tally.connected(1)
}
