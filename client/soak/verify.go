package soak

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"baton/client/wire"
)

// suspect is a session to be checked at the end.
type suspect struct {
	session string // empty: it was never opened
	attempt uint64 // the highest its client used
	final   func(count uint64)
}

// verify asks for every session's count over a connection of its own; it
// returns how many could not be asked.
func (s *soak) verify(ctx context.Context) (unverified int) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Settle)
	defer cancel()
	var failed atomic.Int64
	s.each(func(p participant) {
		suspect := p.suspect()
		if suspect.session == "" {
			return
		}
		count, err := s.ask(ctx, suspect)
		if err != nil {
			failed.Add(1)
			s.tally.problem("check a session", err)
			return
		}
		suspect.final(count)
	})
	return int(failed.Load())
}

// ask opens the session once more and reads its count.
func (s *soak) ask(ctx context.Context, q suspect) (count uint64, err error) {
	backoff := wire.Backoff{Min: backoffMin, Max: backoffMax}
	for attempt := q.attempt; ; {
		attempt = max(attempt+1, uint64(time.Now().UnixMilli()))
		conn, hello, err := s.dialer.Baton(ctx, s.cfg.URLs[0], q.session, attempt)
		if err == nil {
			conn.Close(ctx, closeGrace)
			return hello.Count, nil
		}
		if !pause(ctx, backoff.Wait(err)) {
			return 0, err
		}
	}
}

func errNotPlain(kind string) error { return fmt.Errorf("a frame of type %q", kind) }

func filler(size int) string { return strings.Repeat("x", max(size, 0)) }
