package soak

import (
	"context"
	"testing"
	"time"

	"baton/client/internal/fake"

	"go.uber.org/goleak"
)

func short(server *fake.Server, plain float64) Config {
	return Config{
		URLs: []string{server.URL}, Clients: 20, Plain: plain, Rate: 50, For: 600 * time.Millisecond,
		ConnectRate: 500, Settle: 10 * time.Second, KeepAlive: DefaultKeepAlive, Queue: DefaultQueue, Size: DefaultSize,
	}
}

func run(t *testing.T, server *fake.Server, plain float64, meanwhile func()) Report {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	fake.Start(t, server)
	if meanwhile != nil {
		done := make(chan struct{})
		t.Cleanup(func() { <-done })
		go func() { defer close(done); afterMessages(t, server); meanwhile() }()
	}
	report, err := Run(t.Context(), short(server, plain))
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// afterMessages waits until the soak sends.
func afterMessages(t *testing.T, server *fake.Server) {
	t.Helper()
	for server.Messages() < 100 {
		if !pause(t.Context(), time.Millisecond) {
			return
		}
	}
}

func kinds(t *testing.T, test func(t *testing.T, plain float64)) {
	t.Helper()
	for name, share := range map[string]float64{"baton.v1": 0, "plain": 1, "half and half": 0.5} {
		t.Run(name, func(t *testing.T) { test(t, share) })
	}
}

func TestGoodServer(t *testing.T) {
	kinds(t, func(t *testing.T, plain float64) {
		r := run(t, &fake.Server{}, plain, nil)
		if err := r.Verdict(); err != nil || r.Clients != 20 || r.Acknowledged != r.Sent || r.Sent < 100 {
			t.Errorf("%v: %+v", err, r)
		}
	})
}

func TestGoodServerKilledAndDrained(t *testing.T) {
	kinds(t, func(t *testing.T, plain float64) {
		server := &fake.Server{}
		r := run(t, server, plain, func() {
			server.Kill()
			pause(t.Context(), 100*time.Millisecond)
			server.Drain(50*time.Millisecond, 100*time.Millisecond)
		})
		if err := r.Verdict(); err != nil || r.Reconnects < 20 {
			t.Errorf("%v: %+v", err, r)
		}
	})
}

func TestHopsAreNoFault(t *testing.T) {
	server := fake.Start(t, &fake.Server{})
	cfg := short(server, 0.5)
	cfg.Hop = 100 * time.Millisecond
	r, err := Run(t.Context(), cfg)
	if err != nil || r.Verdict() != nil || r.Reconnects == 0 {
		t.Errorf("%v, %v: %+v", err, r.Verdict(), r)
	}
}

func TestServerThatForgets(t *testing.T) {
	kinds(t, func(t *testing.T, plain float64) {
		server := &fake.Server{}
		r := run(t, server, plain, func() { server.Store.Forget(); server.Kill() })
		if r.Lost == 0 || r.Verdict() == nil {
			t.Errorf("not caught: %+v", r)
		}
	})
}

func TestServerThatCountsTwice(t *testing.T) {
	kinds(t, func(t *testing.T, plain float64) {
		r := run(t, &fake.Server{CountTwice: true}, plain, nil)
		if r.Duplicated == 0 || r.Verdict() == nil {
			t.Errorf("not caught: %+v", r)
		}
	})
}

// It is right until it is killed between the answer and the store.
func TestServerThatAnswersBeforeItStores(t *testing.T) {
	kinds(t, func(t *testing.T, plain float64) {
		server := &fake.Server{AnswerFirst: true}
		r := run(t, server, plain, server.Kill)
		if r.Lost == 0 || r.Verdict() == nil {
			t.Errorf("not caught: %+v", r)
		}
	})
	if r := run(t, &fake.Server{AnswerFirst: true}, 0, nil); r.Verdict() != nil {
		t.Errorf("caught without a kill, so the kill proves nothing: %+v", r)
	}
}

func TestServerThatIgnoresSomeMessages(t *testing.T) {
	server := fake.Start(t, &fake.Server{IgnoreEvery: 10})
	cfg := short(server, 0)
	cfg.Settle = 500 * time.Millisecond // it waits in vain
	r, err := Run(t.Context(), cfg)
	if err != nil || r.Lost == 0 || r.Verdict() == nil {
		t.Errorf("not caught: %v %+v", err, r)
	}
}

func TestNothingAcknowledgedFails(t *testing.T) {
	server := fake.Start(t, &fake.Server{Script: func(fake.Moment) fake.Action {
		return fake.Refuse(503, "draining", "")
	}})
	cfg := short(server, 0.5)
	cfg.Settle, cfg.For = 100*time.Millisecond, 100*time.Millisecond
	r, err := Run(t.Context(), cfg)
	if err != nil || r.Verdict() == nil || r.Refused == 0 || r.Clients != 0 {
		t.Errorf("%v: %+v", err, r)
	}
}

// A server that is gone at the end has not shown that it remembers.
func TestGoneAtTheEndFails(t *testing.T) {
	server := &fake.Server{}
	fake.Start(t, server)
	cfg := short(server, 0)
	cfg.Settle = 500 * time.Millisecond
	go func() { afterMessages(t, server); server.RefuseAll() }()
	r, err := Run(t.Context(), cfg)
	if err != nil || r.Unverified == 0 || r.Verdict() == nil {
		t.Errorf("%v: %+v", err, r)
	}
}

func TestInterruptedStillChecks(t *testing.T) {
	server := fake.Start(t, &fake.Server{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { afterMessages(t, server); cancel() }()
	cfg := short(server, 0.5)
	cfg.For = time.Hour
	r, err := Run(ctx, cfg)
	if err != nil || r.Verdict() != nil || r.Acknowledged < 50 {
		t.Errorf("%v, %v: %+v", err, r.Verdict(), r)
	}
}
