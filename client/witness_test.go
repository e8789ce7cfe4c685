package client_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"baton/client"
	"baton/client/internal/fake"

	"go.uber.org/goleak"
)

const patience = 20 * time.Second // for what has to happen; nothing waits this long

// witness keeps what a client tells.
type witness struct {
	mu       sync.Mutex
	sessions []client.Session
	acks     []client.Ack
	gaps     []client.Gap
	retries  []error
	resets   []client.Reset
	foreign  []client.Foreign
	lost     []error
	troubles []error // lost and retries, in their order
	closed   []error
	changed  chan struct{}
}

func note[T any](w *witness, list *[]T, value T) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*list = append(*list, value)
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

func (w *witness) events() client.Events {
	return client.Events{
		Session: func(s client.Session) { note(w, &w.sessions, s) },
		Ack:     func(a client.Ack) { note(w, &w.acks, a) },
		Gap:     func(g client.Gap) { note(w, &w.gaps, g) },
		Lost:    func(err error) { note(w, &w.troubles, err); note(w, &w.lost, err) },
		Retry:   func(err error, _ time.Duration) { note(w, &w.troubles, err); note(w, &w.retries, err) },
		Reset:   func(r client.Reset) { note(w, &w.resets, r) },
		Foreign: func(f client.Foreign) { note(w, &w.foreign, f) },
		Closed:  func(err error) { note(w, &w.closed, err) },
	}
}

// until waits for a condition on what was told.
func (w *witness) until(t *testing.T, what string, met func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		w.mu.Lock()
		ok := met()
		w.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-w.changed:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// ackedInOrder says whether messages 1 to n were acknowledged once each, in order.
func (w *witness) ackedInOrder(n int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, a := range w.acks {
		if a.Seq != uint64(i+1) {
			return false
		}
	}
	return len(w.acks) == n
}

func (w *witness) seqs() (all []uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.acks {
		all = append(all, a.Seq)
	}
	return all
}

// config is fast: tests wait for its backoff.
func config(url string, w *witness) client.Config {
	return client.Config{URL: url, Events: w.events(), BackoffMin: time.Millisecond, BackoffMax: 20 * time.Millisecond}
}

func dial(t *testing.T, cfg client.Config) *client.Client {
	t.Helper()
	c, err := client.Dial(within(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// open starts a server and a client of it, and sees that no goroutine stays.
func open(t *testing.T, server *fake.Server, change ...func(*client.Config)) (*client.Client, *witness) {
	t.Helper()
	leaks(t)
	fake.Start(t, server)
	w := &witness{changed: make(chan struct{}, 1)}
	cfg := config(server.URL, w)
	for _, f := range change {
		f(&cfg)
	}
	return dial(t, cfg), w
}

func leaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

func send(t *testing.T, c *client.Client, n int) {
	t.Helper()
	for range n {
		if _, err := c.Send(within(t), "hello"); err != nil {
			t.Fatal(err)
		}
	}
}

func flush(t *testing.T, c *client.Client) {
	t.Helper()
	if err := c.Flush(within(t)); err != nil {
		t.Fatal(err)
	}
}

// exact says that the server counted each of n messages once, and said so.
func exact(t *testing.T, server *fake.Server, c *client.Client, w *witness, n int) {
	t.Helper()
	if got := server.Store.Count(c.SessionID()); got != uint64(n) {
		t.Errorf("the server counts %d of %d messages", got, n)
	}
	if !w.ackedInOrder(n) {
		t.Errorf("acknowledged %v", w.seqs())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.resets)+len(w.foreign) > 0 {
		t.Errorf("resets %v, foreign %v", w.resets, w.foreign)
	}
}
