package client_test

import (
	"fmt"
	"net/http"
	"strconv"
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

// Whatever ends a connection, and wherever, every message is counted once.
func TestExactWhateverEndsAConnection(t *testing.T) {
	type cut struct {
		step          fake.Step
		conn, message int
	}
	cuts := []cut{{fake.Handshake, 1, 0}, {fake.Claimed, 1, 0}, {fake.Opened, 1, 0}, {fake.Greeted, 1, 0}}
	for _, message := range []int{1, 7, messages} {
		cuts = append(cuts, cut{fake.Received, 1, message}, cut{fake.Counted, 1, message}, cut{fake.Replied, 1, message})
	}
	actions := map[string]fake.Action{"cut": fake.Drop()}
	for _, code := range []int{1000, 1001, 1002, 1011, 1013, 4000, 4002} {
		actions[strconv.Itoa(code)] = fake.Close(code)
	}
	for name, action := range actions {
		for _, at := range cuts {
			if name != "cut" && (at.step == fake.Handshake || at.step == fake.Claimed) {
				continue // there is no WebSocket yet
			}
			t.Run(fmt.Sprintf("%s/%s/%d", name, at.step, at.message), func(t *testing.T) {
				server := &fake.Server{Script: once(at.step, at.conn, at.message, action)}
				c, w := open(t, server)
				send(t, c, messages)
				flush(t, c)
				exact(t, server, c, w, messages)
			})
		}
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

func TestRefusedHandshakesAreTriedAgain(t *testing.T) {
	for name, action := range map[string]fake.Action{
		"429":                           fake.Refuse(http.StatusTooManyRequests, "rate_limited", "1"),
		"503 at_capacity":               fake.Refuse(http.StatusServiceUnavailable, "at_capacity", ""),
		"503 session_store_unavailable": fake.Refuse(http.StatusServiceUnavailable, "session_store_unavailable", ""),
		"502 of a proxy":                fake.Refuse(http.StatusBadGateway, "", ""),
		"404 of a proxy":                fake.Refuse(http.StatusNotFound, "", ""),
		"409":                           fake.Refuse(http.StatusConflict, "stale_attempt", ""),
	} {
		t.Run(name, func(t *testing.T) {
			server := &fake.Server{}
			script := once(fake.Handshake, 2, 0, action)
			server.Script = func(m fake.Moment) fake.Action {
				if m.Number == 1 && m.Step == fake.Received && m.Message == 5 {
					return fake.Drop()
				}
				return script(m)
			}
			c, w := open(t, server)
			send(t, c, messages)
			flush(t, c)
			exact(t, server, c, w, messages)
			if server.Handshakes() != 3 || len(w.retries) != 1 {
				t.Errorf("%d handshakes, %d retries", server.Handshakes(), len(w.retries))
			}
		})
	}
}

func TestRetryAfterIsWaitedFor(t *testing.T) {
	server := &fake.Server{Script: once(fake.Handshake, 1, 0, fake.Refuse(http.StatusServiceUnavailable, "draining", "1"))}
	start := time.Now()
	open(t, server)
	if waited := time.Since(start); waited < time.Second {
		t.Errorf("came back after %v, the server asked for a second", waited)
	}
}

func TestDuplicateAndLateRepliesAcknowledgeNothing(t *testing.T) {
	server := &fake.Server{Heartbeats: true, Script: func(m fake.Moment) fake.Action {
		if m.Step == fake.Replied {
			m.Conn.Reply(uint64(m.Message))
			m.Conn.Reply(uint64(m.Message) / 2)
		}
		return fake.Pass
	}}
	c, w := open(t, server)
	send(t, c, messages)
	flush(t, c)
	exact(t, server, c, w, messages)
}

func TestReset(t *testing.T) {
	server := &fake.Server{}
	c, w := open(t, server)
	send(t, c, 5)
	flush(t, c)
	server.Store.Set(c.SessionID(), 2)
	server.Kill()
	w.until(t, "the reset", func() bool { return len(w.resets) == 1 })
	if want := (client.Reset{Acknowledged: 5, Count: 2}); w.resets[0] != want {
		t.Errorf("told %+v, want %+v", w.resets[0], want)
	}
	send(t, c, 1)
	flush(t, c)
	if got := server.Store.Count(c.SessionID()); got != 3 {
		t.Errorf("goes on with %d, want 3", got)
	}
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

// 409 for a client whose clock is behind what its session has seen.
func TestClockSetBack(t *testing.T) {
	leaks(t)
	server := fake.Start(t, &fake.Server{})
	w := &witness{changed: make(chan struct{}, 1)}
	cfg := config(server.URL, w)
	cfg.SessionID = "b1946ac9-2492-4d23-8b6f-0a1f3c2d4e5f"
	ahead := time.Now().Add(time.Hour)
	server.Store.SetAttempt(cfg.SessionID, uint64(ahead.UnixMilli()))
	c := dial(t, cfg)
	send(t, c, 3)
	flush(t, c)
	exact(t, server, c, w, 3)
}
