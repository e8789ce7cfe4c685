package client_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"baton/client"
	"baton/client/internal/fake"
)

func await(t *testing.T, c *client.Client) error {
	t.Helper()
	select {
	case <-c.Done():
	case <-time.After(patience):
		t.Fatal("the client goes on")
	}
	return c.Err()
}

func TestTakenOverStops(t *testing.T) {
	server := &fake.Server{}
	c, w := open(t, server)
	send(t, c, 2)
	flush(t, c)
	cfg := config(server.URL, &witness{changed: make(chan struct{}, 1)})
	cfg.SessionID = c.SessionID()
	other := dial(t, cfg) // perhaps in the same millisecond, and after a 409 then
	handshakes := server.Handshakes()
	send(t, c, 1) // the fake looks at the owner when a message comes
	if err := await(t, c); !errors.Is(err, client.ErrTakenOver) {
		t.Errorf("ended with %v", err)
	}
	if _, err := c.Send(t.Context(), "late"); !errors.Is(err, client.ErrTakenOver) {
		t.Errorf("Send says %v", err)
	}
	if len(w.closed) != 1 || server.Handshakes() != handshakes {
		t.Errorf("told closed %d times, %d handshakes", len(w.closed), server.Handshakes())
	}
	send(t, other, 1)
	flush(t, other)
	if got := server.Store.Count(other.SessionID()); got != 3 {
		t.Errorf("the session counts %d, want 3", got)
	}
}

func TestDialFails(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		code   string
	}{
		"400": {http.StatusBadRequest, "session_id_invalid"},
		"403": {http.StatusForbidden, "origin_not_allowed"},
		"404": {http.StatusNotFound, "not_found"},
		"426": {http.StatusUpgradeRequired, "upgrade_required"},
	} {
		t.Run(name, func(t *testing.T) {
			leaks(t)
			server := fake.Start(t, &fake.Server{Script: func(m fake.Moment) fake.Action {
				return fake.Refuse(test.status, test.code, "")
			}})
			_, err := client.Dial(within(t), client.Config{URL: server.URL})
			var refused *client.RefusedError
			if !errors.As(err, &refused) || refused.Status != test.status || refused.Code != test.code || server.Handshakes() != 1 {
				t.Errorf("%v after %d handshakes", err, server.Handshakes())
			}
		})
	}
}

func TestDialGivesUpWithItsContext(t *testing.T) {
	leaks(t)
	server := fake.Start(t, &fake.Server{Script: func(fake.Moment) fake.Action {
		return fake.Refuse(http.StatusServiceUnavailable, "draining", "60")
	}})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := client.Dial(ctx, client.Config{URL: server.URL})
	var refused *client.RefusedError
	if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &refused) {
		t.Errorf("%v, want the deadline and the last refusal", err)
	}
}

func TestStaleForever(t *testing.T) {
	server := &fake.Server{Script: func(m fake.Moment) fake.Action {
		if m.Step == fake.Handshake && m.Number > 1 {
			return fake.Refuse(http.StatusConflict, "stale_attempt", "")
		}
		return fake.Pass
	}}
	c, _ := open(t, server)
	server.Kill()
	if err := await(t, c); !errors.Is(err, client.ErrStaleAttempt) {
		t.Errorf("ended with %v", err)
	}
}

func TestQueue(t *testing.T) {
	release := make(chan struct{})
	server := &fake.Server{Script: func(m fake.Moment) fake.Action {
		if m.Step == fake.Received && m.Message == 1 {
			<-release
		}
		return fake.Pass
	}}
	c, w := open(t, server, func(cfg *client.Config) { cfg.QueueSize = 3 })
	send(t, c, 3)
	if _, err := c.TrySend("4"); !errors.Is(err, client.ErrQueueFull) {
		t.Errorf("TrySend with a full queue says %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := c.Send(ctx, "4"); !errors.Is(err, client.ErrQueueFull) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Send with a full queue says %v", err)
	}
	close(release)
	send(t, c, 10) // waits for room
	flush(t, c)
	exact(t, server, c, w, 13)
	if _, err := c.TrySend("\xff"); !errors.Is(err, client.ErrNotText) {
		t.Errorf("TrySend of no text says %v", err)
	}
}

// Another process goes on where this one stopped, in the middle.
func TestSnapshot(t *testing.T) {
	server := &fake.Server{Script: once(fake.Counted, 1, 3, fake.Drop())}
	c, w := open(t, server, func(cfg *client.Config) { cfg.BackoffMin, cfg.BackoffMax = time.Hour, time.Hour })
	send(t, c, 5)
	w.until(t, "the loss", func() bool { return len(w.lost) == 1 })
	_ = c.Close(t.Context())
	snapshot := c.Snapshot()
	if snapshot.Count != 2 || len(snapshot.Pending) != 3 {
		t.Fatalf("remembers %+v", snapshot)
	}
	cfg := config(server.URL, &witness{changed: make(chan struct{}, 1)})
	cfg.Resume = &snapshot
	next := dial(t, cfg)
	flush(t, next)
	if got := server.Store.Count(c.SessionID()); got != 5 {
		t.Errorf("the session counts %d of 5", got)
	}
}

func TestClose(t *testing.T) {
	server := &fake.Server{}
	c, w := open(t, server)
	send(t, c, 1)
	flush(t, c)
	if err := c.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Errorf("the second time: %v", err)
	}
	if _, err := c.TrySend("late"); !errors.Is(err, client.ErrClosed) || !errors.Is(c.Err(), client.ErrClosed) || len(w.closed) != 1 {
		t.Errorf("TrySend: %v, Err: %v, told %v", err, c.Err(), w.closed)
	}
}
