package smoke

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"baton/client/internal/fake"

	"go.uber.org/goleak"
)

const patience = 10 * time.Second

func start(t *testing.T, server *fake.Server) *fake.Server {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	return fake.Start(t, server)
}

func TestCheck(t *testing.T) {
	server := start(t, &fake.Server{Color: "green", Heartbeats: true})
	result, err := Check(t.Context(), server.URL, "green", nil, patience)
	if err != nil || result.Count != 4 || result.Color != "green" || !result.Resumed {
		t.Errorf("%v: %+v", err, result)
	}
	if got := server.Store.Count(result.SessionID); got != 4 {
		t.Errorf("the session counts %d", got)
	}
}

func TestCheckFails(t *testing.T) {
	late := make(chan struct{})
	for name, test := range map[string]struct {
		server *fake.Server
		color  string
		why    string
	}{
		"wrong color":  {&fake.Server{}, "green", `the color "blue" answered, expected "green"`},
		"counts twice": {&fake.Server{CountTwice: true}, "", "message 1 was counted as 2"},
		"refuses": {&fake.Server{Script: func(fake.Moment) fake.Action {
			return fake.Refuse(503, "draining", "1")
		}}, "", "503 draining"},
		"forgets": {&fake.Server{Script: func(m fake.Moment) fake.Action {
			if m.Number == 2 && m.Step == fake.Handshake {
				m.Conn.Forget()
			}
			return fake.Pass
		}}, "", "opened with count 0, expected 3"},
		"cuts": {&fake.Server{Script: func(m fake.Moment) fake.Action {
			if m.Number == 2 && m.Step == fake.Received {
				return fake.Drop()
			}
			return fake.Pass
		}}, "", "resume: wait for the reply to message 4"},
		"says nothing": {&fake.Server{Script: func(m fake.Moment) fake.Action {
			if m.Step == fake.Counted {
				<-late
			}
			return fake.Pass
		}}, "", "wait for the reply to message 1: timed out"},
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t, test.server)
			timeout := patience
			if name == "says nothing" {
				timeout = 200 * time.Millisecond
				t.Cleanup(func() { close(late) })
			}
			_, err := Check(t.Context(), server.URL, test.color, nil, timeout)
			if err == nil || !strings.Contains(err.Error(), test.why) {
				t.Errorf("%v, want %q", err, test.why)
			}
		})
	}
}

func TestVisits(t *testing.T) {
	server := start(t, &fake.Server{})
	zero, two, five := uint64(0), uint64(2), uint64(5)
	visit := Visit{URL: server.URL, Session: "b1946ac9-2492-4d23-8b6f-0a1f3c2d4e5f", Messages: 2, ExpectCount: &zero}
	if r, err := visit.Run(t.Context(), patience); err != nil || r.Count != 2 || r.Resumed {
		t.Fatalf("%v: %+v", err, r)
	}
	visit.ExpectCount, visit.Messages = &two, 1
	if r, err := visit.Run(t.Context(), patience); err != nil || r.Count != 3 || !r.Resumed {
		t.Errorf("%v: %+v", err, r)
	}
	visit.ExpectCount = &five
	if _, err := visit.Run(t.Context(), patience); err == nil {
		t.Error("a count that was not expected is fine")
	}
}

// holding starts a visit that holds, and returns when it does.
func holding(t *testing.T, ctx context.Context, v Visit) (ended <-chan error) {
	t.Helper()
	told, result := make(chan struct{}), make(chan error, 1)
	v.Hold, v.Told = time.Hour, func(Result) { close(told) }
	go func() {
		_, err := v.Run(ctx, patience)
		result <- err
	}()
	select {
	case <-told:
	case err := <-result:
		t.Fatalf("ended at once: %v", err)
	}
	return result
}

func TestHoldEnds(t *testing.T) {
	interrupted := errors.New("interrupted")
	for name, test := range map[string]struct {
		by   func(server *fake.Server, interrupt context.CancelCauseFunc)
		well bool
	}{
		"interrupted": {func(_ *fake.Server, interrupt context.CancelCauseFunc) { interrupt(interrupted) }, true},
		"drained":     {func(s *fake.Server, _ context.CancelCauseFunc) { s.Drain(0, 0) }, true},
		"killed":      {func(s *fake.Server, _ context.CancelCauseFunc) { s.Kill() }, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t, &fake.Server{})
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			ended := holding(t, ctx, Visit{URL: server.URL, Messages: 1})
			test.by(server, cancel)
			if err := <-ended; (err == nil) != test.well {
				t.Errorf("ended with %v", err)
			}
		})
	}
}
