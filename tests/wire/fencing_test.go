package wire

import (
	"testing"
	"time"

	"baton/tests/harness"
)

const fenced = "session resumed elsewhere"

func TestFencedAtItsNextMessage(t *testing.T) {
	t.Parallel()
	redis := harness.StartRedis(t)
	env := harness.Env{"REDIS_URL": redis.URL()}
	blue, green := harness.Start(t, env), harness.Start(t, env)
	for name, to := range map[string]*harness.Server{"same process": blue, "other process": green} {
		t.Run(name, func(t *testing.T) {
			old := blue.Dial(harness.Handshake{})
			old.Say("a", "b")
			old.Count(1, 2)
			newer := to.Dial(harness.Handshake{Session: old.Session, Sub: harness.V1})
			checkHello(t, newer.Hello(), 2, true)
			old.Say(harness.Repeat("lost", 10)...)
			if closed := old.Closed(4001); closed.Reason() != fenced {
				t.Errorf("reason %q", closed.Reason())
			}
			newer.Say("c")
			newer.Count(3)
		})
	}
}

func TestFencedAtItsNextHeartbeat(t *testing.T) {
	t.Parallel()
	redis := harness.StartRedis(t)
	env := harness.Env{"REDIS_URL": redis.URL(), "HEARTBEAT_INTERVAL": "300ms"}
	blue, green := harness.Start(t, env), harness.Start(t, env)
	for name, to := range map[string]*harness.Server{"same process": blue, "other process": green} {
		t.Run(name, func(t *testing.T) {
			old := blue.Dial(harness.Handshake{})
			newer := to.Dial(harness.Handshake{Session: old.Session})
			start := time.Now()
			old.ClosedEventually(4001)
			if took := time.Since(start); took > 3*time.Second {
				t.Errorf("fenced only after %v", took)
			}
			checkHeartbeat(t, newer)
		})
	}
}

func TestFencedInFlightIsNotCountedButWhatWasIsAnswered(t *testing.T) {
	t.Parallel()
	redis := harness.StartRedis(t)
	env := harness.Env{"REDIS_URL": redis.URL()}
	blue, green := harness.Start(t, env), harness.Start(t, env)
	const takeovers = 20
	unanswered := 0
	for range takeovers {
		old := blue.Dial(harness.Handshake{})
		old.Say(harness.Repeat("m", 500)...)
		newer := green.Dial(harness.Handshake{Session: old.Session, Sub: harness.V1})
		taken := int(newer.Hello()["count"].(float64))
		_ = old.TrySend(harness.Text("one more"))
		answered := counts(t, old.ClosedEventually(4001), 1)
		if answered > taken {
			t.Errorf("%d answered, the newer connection begins at %d", answered, taken)
		}
		if answered < taken { // Redis took a commit and its answer came too late: only the newer claim can tell
			unanswered++
		}
		newer.Say("m")
		newer.Count(taken + 1)
		newer.Close()
	}
	if unanswered > takeovers/4 {
		t.Errorf("in %d takeovers of %d the older connection was not told all that was counted", unanswered, takeovers)
	}
}

func TestFencedConnectionDoesNotFenceBack(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"HEARTBEAT_INTERVAL": "200ms"})
	old := s.Dial(harness.Handshake{Session: sessionA})
	newer := s.Dial(harness.Handshake{Session: sessionA})
	old.ClosedEventually(4001)
	for range 3 {
		checkHeartbeat(t, newer)
	}
}

func TestFenceOnlyOfOneSession(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	other := s.Dial(harness.Handshake{Session: sessionB})
	old := s.Dial(harness.Handshake{Session: sessionA})
	s.Dial(harness.Handshake{Session: sessionA})
	old.Say("m")
	old.Closed(4001)
	other.Say("m")
	other.Count(1)
}

func TestTakeoverNeedsAFreeSlot(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"MAX_CONNECTIONS": "1"})
	old := s.Dial(harness.Handshake{Session: sessionA})
	if answer := s.Refused(harness.Handshake{Session: sessionA}); answer.Status != 503 || answer.ErrorCode(t) != "at_capacity" {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
	old.Say("m")
	old.Count(1) // a refused takeover fences nobody
}

func TestSlotIsFreeWhenThePeerSeesTheEnd(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"MAX_CONNECTIONS": "1"})
	for range 300 {
		p := s.Dial(harness.Handshake{})
		p.Send(harness.Close(1000, ""))
		p.Closed(1000)
	}
}

func TestSlotIsFreeAgainAfterEveryKindOfEnd(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"MAX_CONNECTIONS": "1"})
	ends := map[string]func(*harness.Peer){
		"close":     func(p *harness.Peer) { p.Send(harness.Close(1000, "")); p.Closed(1000) },
		"drop":      func(p *harness.Peer) { p.Close() },
		"violation": func(p *harness.Peer) { p.Send(harness.Frame{Op: 3}); p.Closed(1002) },
	}
	for name, end := range ends {
		var p *harness.Peer
		harness.Eventually(t, waitFor, "a free slot after "+name, func() bool {
			peer, answer, err := harness.Handshake{}.Open(s.Addr)
			if err != nil {
				t.Fatal(err)
			}
			if peer == nil && answer.Status != 503 {
				t.Fatalf("%d %s", answer.Status, answer.Body)
			}
			if peer != nil {
				p = harness.NewPeer(t, peer.Conn)
			}
			return peer != nil
		})
		end(p)
	}
	// Refusals must not eat the slot either.
	for range 5 {
		s.Refused(harness.Handshake{Session: "no-uuid"})
	}
	harness.Eventually(t, waitFor, "a free slot after refusals", func() bool {
		peer, _, err := harness.Handshake{}.Open(s.Addr)
		if peer != nil {
			peer.Close()
		}
		return err == nil && peer != nil
	})
}
