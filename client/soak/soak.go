// Package soak runs many clients against a server and checks its promise: no
// message lost, none counted twice, none out of order. Its judgement rests on
// what the server sent and on a fresh connection to every session at the end,
// not on what the client library believes.
package soak

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"baton/client/wire"
)

// Defaults of Config.
const (
	DefaultConnectRate = 500 // connections a second
	DefaultSettle      = 30 * time.Second
	DefaultKeepAlive   = 5 * time.Second
	DefaultQueue       = 1024 // messages
	DefaultSize        = 32   // bytes
)

// Config says what to run.
type Config struct {
	URLs    []string    // each connection goes to one of them, at random
	Header  http.Header // added to each handshake
	Clients int
	Plain   float64       // share of the clients that are plain ones, 0 to 1
	Rate    float64       // messages per second and client
	For     time.Duration // of sending
	Hop     time.Duration // mean time after which a connection is cut on purpose; 0: never
	Size    int           // bytes of a message

	ConnectRate float64       // new clients per second
	Settle      time.Duration // how long to wait for the last replies, and for the final checks
	KeepAlive   time.Duration // see client.Config
	Queue       int           // see client.Config.QueueSize
	NoHandover  bool

	Progress io.Writer // a line a second; nil: silence
}

// participant is one client of either kind.
type participant interface {
	start(ctx context.Context) // returns at once
	tick()                     // sends one message if it can; never blocks
	settled() bool             // nothing waits for a reply
	stop(ctx context.Context)  // closes, and waits for its goroutines
	suspect() suspect          // what the server has to say of it now
}

// Run soaks until cfg.For is over or ctx ends, then settles and judges. The
// error is for a configuration that can't run; what the server did wrong is in
// the Report.
func Run(ctx context.Context, cfg Config) (Report, error) {
	route, err := newRoute(cfg.URLs, cfg.Hop)
	if err != nil {
		return Report{}, err
	}
	s := &soak{cfg: cfg, route: route, tally: newTally()}
	s.dialer = &wire.Dialer{Header: cfg.Header, NetDial: route.dial}
	for i := range cfg.Clients {
		s.participants = append(s.participants, s.participant(i))
	}
	return s.run(ctx), nil
}

type soak struct {
	cfg          Config
	route        *route
	dialer       *wire.Dialer
	tally        *tally
	participants []participant
}

// participant number i is plain if the share asks for it; the kinds alternate
// so that both connect from the start.
func (s *soak) participant(i int) participant {
	before, after := int(float64(i)*s.cfg.Plain), int(float64(i+1)*s.cfg.Plain)
	if after > before {
		return newPlain(s)
	}
	return newResuming(s)
}

func (s *soak) run(ctx context.Context) Report {
	living, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	stopProgress := s.progress()
	s.connect(ctx, living)
	s.send(ctx)
	s.tally.enter("settling")
	deadline, cancel := context.WithTimeout(living, s.cfg.Settle)
	defer cancel()
	s.route.stopHops()
	s.settle(deadline)
	s.each(func(p participant) { p.stop(deadline) })
	s.tally.enter("checking every session")
	unverified := s.verify(living)
	stopProgress()
	if s.cfg.Progress != nil {
		s.tally.explain(s.cfg.Progress)
	}
	return s.tally.report(unverified)
}

// connect starts the clients at the connect rate.
func (s *soak) connect(ctx, living context.Context) {
	s.tally.enter("connecting")
	at := newMetronome(s.cfg.ConnectRate)
	for i := 0; i < len(s.participants); {
		for range min(at.due(), len(s.participants)-i) {
			s.participants[i].start(living)
			i++
		}
		if !at.rest(ctx) {
			return
		}
	}
}

// send lets one client after the other send, evenly over time.
func (s *soak) send(ctx context.Context) {
	s.tally.enter("sending")
	ctx, cancel := context.WithTimeout(ctx, s.cfg.For)
	defer cancel()
	at := newMetronome(s.cfg.Rate * float64(len(s.participants)))
	for next := 0; at.rest(ctx); {
		for range at.due() {
			s.participants[next%len(s.participants)].tick()
			next++
		}
	}
}

func (s *soak) settle(ctx context.Context) {
	for _, p := range s.participants {
		for !p.settled() {
			if !pause(ctx, 5*time.Millisecond) {
				return
			}
		}
	}
}

// each does something with all participants, some at a time.
func (s *soak) each(do func(participant)) {
	const atOnce = 64
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for _, p := range s.participants {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			do(p)
		})
	}
	all.Wait()
}

// progress writes a line a second until the function it returns is called.
func (s *soak) progress() (stop func()) {
	if s.cfg.Progress == nil {
		return func() {}
	}
	quit := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				_, _ = fmt.Fprintln(s.cfg.Progress, s.tally.line())
			case <-quit:
				return
			}
		}
	})
	return func() { close(quit); writer.Wait() }
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
