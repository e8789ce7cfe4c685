package client_test

import (
	"sync/atomic"
	"testing"
	"time"

	"baton/client"
	"baton/client/internal/fake"
)

const messages = 20

// once interferes at one moment of the server's life.
func once(step fake.Step, conn, message int, action fake.Action) fake.Script {
	var done atomic.Bool
	return func(m fake.Moment) fake.Action {
		if m.Step == step && m.Number == conn && m.Message == message && done.CompareAndSwap(false, true) {
			return action
		}
		return fake.Pass
	}
}

// The second connection ends in the middle too, and the third before its
// session message.
func TestExactThroughALossAfterTheOther(t *testing.T) {
	server := &fake.Server{Script: func(m fake.Moment) fake.Action {
		switch {
		case m.Number == 3 && m.Step == fake.Opened:
			return fake.Drop()
		case m.Number%3 == 1 && m.Step == fake.Received && m.Message == 4,
			m.Number%3 == 2 && m.Step == fake.Counted && m.Message == 3,
			m.Number%3 == 0 && m.Step == fake.Replied && m.Message == 2:
			return fake.Drop()
		}
		return fake.Pass
	}}
	c, w := open(t, server)
	send(t, c, 100)
	flush(t, c)
	exact(t, server, c, w, 100)
	w.until(t, "gaps", func() bool { return len(w.gaps) > 20 })
}

func TestForeignCount(t *testing.T) {
	server := &fake.Server{}
	c, w := open(t, server)
	send(t, c, 5)
	flush(t, c)
	server.Store.Set(c.SessionID(), 9)
	server.Kill()
	w.until(t, "foreign", func() bool { return len(w.foreign) == 1 })
	if want := (client.Foreign{Sent: 5, Count: 9}); w.foreign[0] != want {
		t.Errorf("told %+v, want %+v", w.foreign[0], want)
	}
	send(t, c, 1)
	flush(t, c)
	if got := server.Store.Count(c.SessionID()); got != 10 {
		t.Errorf("goes on with %d, want 10", got)
	}
}

// A server that answers pings is alive, one that does not is left.
func TestSilentServerIsLeft(t *testing.T) {
	release := make(chan struct{})
	server := &fake.Server{Script: func(m fake.Moment) fake.Action {
		if m.Number == 1 && m.Step == fake.Received && m.Message == 3 {
			<-release // it no longer reads, so it answers no ping
		}
		return fake.Pass
	}}
	c, w := open(t, server, func(cfg *client.Config) { cfg.KeepAlive = 20 * time.Millisecond })
	t.Cleanup(func() { close(release) })
	send(t, c, messages)
	flush(t, c)
	exact(t, server, c, w, messages)
	if len(w.gaps) != 1 || w.gaps[0].Duration < 40*time.Millisecond {
		t.Errorf("gaps %+v: the silence is part of it", w.gaps)
	}
}
