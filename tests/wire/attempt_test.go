package wire

import (
	"testing"

	"baton/tests/harness"
)

func claim(session, attempt string) harness.Handshake {
	return harness.Handshake{Sub: harness.V1, Session: session, Attempt: attempt}
}

func TestAttemptHasToRise(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	live := s.Dial(claim(sessionA, "10"))
	live.Hello()
	for _, late := range []string{"10", "9", "1"} {
		if answer := s.Refused(claim(sessionA, late)); answer.Status != 409 || answer.ErrorCode(t) != "stale_attempt" {
			t.Errorf("attempt %s: %d %s", late, answer.Status, answer.Body)
		}
	}
	live.Say("m")
	live.Count(1) // a late handshake fences nobody
	newer := s.Dial(claim(sessionA, "11"))
	checkHello(t, newer.Hello(), 1, true)
	live.Say("m")
	live.Closed(4001)
}

func TestAttemptIsComparedExactly(t *testing.T) {
	t.Parallel()
	redis := harness.StartRedis(t)
	s := harness.Start(t, harness.Env{"REDIS_URL": redis.URL()})
	rising := []string{
		"9", "10", "1763924400123", "1763924400124",
		"9007199254740992", "9007199254740993", // 2^53 and the first integer that a double can't hold
		"9223372036854775806", "9223372036854775807",
	}
	for i, attempt := range rising {
		s.Dial(claim(sessionA, attempt)).Hello()
		if got := redis.Field(sessionA, "attempt"); got != attempt {
			t.Errorf("Redis holds attempt %q, want %q", got, attempt)
		}
		for _, late := range rising[:i+1] {
			if answer := s.Refused(claim(sessionA, late)); answer.Status != 409 {
				t.Errorf("attempt %s after %s: %d", late, attempt, answer.Status)
			}
		}
	}
}

func TestAttemptInvalid(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	for _, attempt := range []string{"0", "-1", "abc", "1.5", "1e3", "0x10", "%201", "1%20", "%00", "99999999999999999999999", "--1", "1_000", "NaN", "%D9%A1"} {
		if answer := s.Refused(claim(sessionA, attempt)); answer.Status != 400 || answer.ErrorCode(t) != "attempt_invalid" {
			t.Errorf("attempt %q: %d %s", attempt, answer.Status, answer.Body)
		}
	}
	checkHello(t, s.Dial(claim(sessionA, "1")).Hello(), 0, false) // none of them claimed anything
}

func TestClaimWithoutAttemptTakesOverAndLeavesTheStoredOne(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	first := s.Dial(claim(sessionA, "10"))
	first.Hello()
	bare := s.Dial(harness.Handshake{Session: sessionA})
	first.Say("m")
	first.Closed(4001)
	if answer := s.Refused(claim(sessionA, "10")); answer.Status != 409 {
		t.Errorf("attempt 10 again: %d", answer.Status)
	}
	bare.Say("m")
	bare.Count(1)
	s.Dial(claim(sessionA, "11")).Hello()
	bare.Say("m")
	bare.Closed(4001)
}

func TestAttemptOutlivesARedisThatCameBackEmpty(t *testing.T) {
	t.Parallel()
	for name, owner := range map[string]harness.Handshake{
		"owner with the attempt": claim(sessionA, "10"),
		"owner without one":      {Sub: harness.V1, Session: sessionA},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redis := harness.StartRedis(t)
			s := harness.Start(t, harness.Env{"REDIS_URL": redis.URL()})
			if owner.Attempt == "" {
				s.Dial(claim(sessionA, "10")).Hello()
			}
			live := s.Dial(owner)
			live.Hello()
			live.Say("a", "b", "c")
			live.Count(1, 3)
			redis.RestartEmpty()
			live.Say("d")
			live.Count(4)
			if count, attempt := redis.Field(sessionA, "count"), redis.Field(sessionA, "attempt"); count != "4" || attempt != "10" {
				t.Errorf("Redis was repaired to count %q, attempt %q", count, attempt)
			}
			if answer := s.Refused(claim(sessionA, "10")); answer.Status != 409 {
				t.Errorf("attempt 10 again: %d %s", answer.Status, answer.Body)
			}
			live.Say("e")
			live.Count(5)
		})
	}
}

func TestHeartbeatRepairsARedisThatCameBackEmpty(t *testing.T) {
	t.Parallel()
	redis := harness.StartRedis(t)
	s := harness.Start(t, harness.Env{"REDIS_URL": redis.URL(), "HEARTBEAT_INTERVAL": "300ms"})
	live := s.Dial(claim(sessionA, "10"))
	live.Hello()
	live.Say("a", "b")
	for counted := 0; counted < 2; {
		if object := live.Object(); object["type"] != "heartbeat" {
			counted++
		}
	}
	redis.RestartEmpty()
	harness.Eventually(t, waitFor, "a heartbeat repairs Redis", func() bool {
		return redis.Field(sessionA, "count") == "2" && redis.Field(sessionA, "attempt") == "10"
	})
}
