package soak

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"baton/client"
	"baton/client/wire"
)

// resuming is a baton.v1 participant: the client library under the eyes of a
// judge, who sees each frame as it came.
type resuming struct {
	soak    *soak
	judge   judge
	text    string
	attempt atomic.Uint64
	client  atomic.Pointer[client.Client]
	session atomic.Pointer[string]
	dialing sync.WaitGroup
	cancel  context.CancelFunc
}

func newResuming(s *soak) *resuming {
	return &resuming{soak: s, judge: judge{tally: s.tally}, text: filler(s.cfg.Size)}
}

func (r *resuming) start(ctx context.Context) {
	ctx, r.cancel = context.WithCancel(ctx)
	r.dialing.Go(func() {
		c, err := client.Dial(ctx, r.config())
		if err != nil {
			r.soak.tally.problem("open a session", err)
			return
		}
		r.soak.tally.joined()
		r.soak.tally.connected(1)
		r.client.Store(c)
	})
}

func (r *resuming) config() client.Config {
	t := r.soak.tally
	return client.Config{
		URL:        r.soak.cfg.URLs[0],
		QueueSize:  r.soak.cfg.Queue,
		BackoffMax: backoffMax,
		KeepAlive:  r.soak.cfg.KeepAlive,
		NoHandover: r.soak.cfg.NoHandover,
		Dialer:     r.soak.dialer,
		Trace: client.Trace{
			Attempt: r.attempt.Store,
			Open:    func(_, count uint64) { r.judge.open(count) },
			Frame:   r.frame,
		},
		Events: client.Events{
			Session: func(s client.Session) { r.session.Store(&s.ID) },
			Ack:     func(a client.Ack) { t.latency(a.Latency) },
			Lost:    func(error) { t.connected(-1) },
			Gap:     r.gap,
			Retry:   func(err error, _ time.Duration) { t.refused(err) },
			Closed:  r.closed,
		},
	}
}

// frame hands what the server sent to the judge.
func (r *resuming) frame(_ uint64, data []byte) {
	frame, err := wire.ParseFrame(data)
	if err != nil {
		r.soak.tally.problem("read a frame", err)
		return
	}
	if frame.Type == wire.TypeReply {
		r.judge.reply(frame.Count)
	}
}

func (r *resuming) gap(g client.Gap) {
	r.soak.tally.reconnected(g.Duration, g.Handover)
	if !g.Handover {
		r.soak.tally.connected(1)
	}
}

func (r *resuming) closed(err error) {
	if r.client.Load() != nil && !errors.Is(err, client.ErrClosed) {
		r.soak.tally.connected(-1)
		r.soak.tally.problem("keep a session", err)
	}
}

func (r *resuming) tick() {
	c := r.client.Load()
	if c == nil {
		return
	}
	r.judge.sending()
	if _, err := c.TrySend(r.text); err != nil {
		r.judge.unsent()
		r.soak.tally.skipped()
		return
	}
	r.soak.tally.sent(1)
}

func (r *resuming) settled() bool {
	c := r.client.Load()
	return c == nil || c.Err() != nil || len(c.Snapshot().Pending) == 0
}

func (r *resuming) stop(ctx context.Context) {
	if r.cancel == nil {
		return // never started
	}
	r.cancel()
	r.dialing.Wait()
	if c := r.client.Load(); c != nil {
		_ = c.Close(ctx)
	}
}

func (r *resuming) suspect() suspect {
	session := r.session.Load()
	if session == nil {
		return suspect{}
	}
	return suspect{session: *session, attempt: r.attempt.Load(), final: r.judge.final}
}
