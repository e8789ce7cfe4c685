package client_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"baton/client"
	"baton/client/internal/fake"
)

// frontDoor sends new connections to one of two colors that share a store.
type frontDoor struct {
	blue, green *fake.Server
	active      atomic.Pointer[fake.Server]
}

func newFrontDoor(t *testing.T, blue, green *fake.Server) *frontDoor {
	t.Helper()
	leaks(t)
	blue.Store = fake.NewStore()
	green.Store, green.Color = blue.Store, "green"
	f := &frontDoor{blue: fake.Start(t, blue), green: fake.Start(t, green)}
	f.active.Store(f.blue)
	return f
}

func (f *frontDoor) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, f.active.Load().Addr)
}

func (f *frontDoor) open(t *testing.T, change ...func(*client.Config)) (*client.Client, *witness) {
	t.Helper()
	w := &witness{changed: make(chan struct{}, 1)}
	cfg := config(f.blue.URL, w)
	cfg.NetDial = f.dial
	for _, c := range change {
		c(&cfg)
	}
	return dial(t, cfg), w
}

// stream sends until the returned function is called, which says how many.
func stream(t *testing.T, c *client.Client) (stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	sent := make(chan int)
	go func() {
		n := 0
		for ; ctx.Err() == nil; n++ {
			if _, err := c.Send(context.Background(), "hello"); err != nil {
				break
			}
		}
		sent <- n
	}()
	return func() int { cancel(); return <-sent }
}

func TestHandoverUnderLoadHasNoGap(t *testing.T) {
	door := newFrontDoor(t, &fake.Server{}, &fake.Server{})
	c, w := door.open(t, func(cfg *client.Config) { cfg.QueueSize = 64 })
	stop := stream(t, c)
	w.until(t, "messages on blue", func() bool { return len(w.acks) > 100 })
	door.active.Store(door.green)
	door.blue.Drain(100*time.Millisecond, patience)
	w.until(t, "the handover", func() bool { return len(w.gaps) == 1 })
	seen := len(w.acks)
	w.until(t, "messages on green", func() bool { return len(w.acks) > seen+100 })
	n := stop()
	flush(t, c)
	exact(t, door.green, c, w, n)
	if gap := w.gaps[0]; !gap.Handover || gap.Duration != 0 || len(w.lost) != 0 {
		t.Errorf("gap %+v, lost %v", gap, w.lost)
	}
	if w.sessions[1].Color != "green" {
		t.Errorf("moved to %s", w.sessions[1].Color)
	}
}

func TestWithoutHandoverItWaitsForTheClose(t *testing.T) {
	door := newFrontDoor(t, &fake.Server{}, &fake.Server{})
	c, w := door.open(t, func(cfg *client.Config) { cfg.NoHandover = true })
	stop := stream(t, c)
	w.until(t, "messages on blue", func() bool { return len(w.acks) > 10 })
	door.active.Store(door.green)
	door.blue.Drain(20*time.Millisecond, 50*time.Millisecond)
	w.until(t, "the move", func() bool { return len(w.gaps) == 1 })
	n := stop()
	flush(t, c)
	exact(t, door.green, c, w, n)
	if gap := w.gaps[0]; gap.Handover || gap.Duration == 0 {
		t.Errorf("gap %+v", gap)
	}
}

// The old connection dies while the client waits for its moment.
func TestOldConnectionDiesBeforeTheHandover(t *testing.T) {
	door := newFrontDoor(t, &fake.Server{}, &fake.Server{})
	c, w := door.open(t)
	send(t, c, 5)
	flush(t, c)
	door.active.Store(door.green)
	door.blue.Drain(time.Hour, time.Hour)
	door.blue.Kill()
	send(t, c, 5)
	flush(t, c)
	exact(t, door.green, c, w, 10)
}

// The claim of the new connection went through but its answer was lost: the
// old one is closed 4001 by ourselves, which must not stop the client.
func TestFencedByItsOwnLostHandshake(t *testing.T) {
	for name, step := range map[string]fake.Step{"before the 101": fake.Claimed, "before the session message": fake.Opened} {
		t.Run(name, func(t *testing.T) {
			door := newFrontDoor(t, &fake.Server{}, &fake.Server{Script: once(step, 1, 0, fake.Drop())})
			c, w := door.open(t)
			stop := stream(t, c)
			w.until(t, "messages on blue", func() bool { return len(w.acks) > 10 })
			door.active.Store(door.green)
			door.blue.Drain(20*time.Millisecond, patience)
			w.until(t, "the move", func() bool { return len(w.gaps) == 1 })
			n := stop()
			flush(t, c)
			exact(t, door.green, c, w, n)
		})
	}
}
