package faults

import (
	"strconv"
	"testing"
	"time"

	"baton/tests/harness"

	"github.com/google/uuid"
)

// A Redis that came back without its data is repaired by the live connections, count and attempt.
func TestRedisRestartedEmptyUnderLiveConnections(t *testing.T) {
	redis := harness.StartRedis(t)
	s := harness.Start(t, harness.Env{"REDIS_URL": redis.URL()})
	const sessions, rounds = 50, 3
	var peers []*harness.Peer
	for i := range sessions {
		p := s.Dial(harness.Handshake{Sub: harness.V1, Session: uuid.NewString(), Attempt: strconv.Itoa(100 + i)})
		p.Hello()
		peers = append(peers, p)
	}
	for round := range rounds {
		for _, p := range peers {
			p.Say(harness.Repeat("m", 10)...)
			p.Count(round*20+1, round*20+10)
		}
		redis.RestartEmpty()
		for i, p := range peers {
			p.Say(harness.Repeat("m", 10)...)
			p.Count(round*20+11, round*20+20)
			if got := redis.Field(p.Session, "count"); got != strconv.Itoa(round*20+20) {
				t.Fatalf("Redis was repaired to %q", got)
			}
			if got := redis.Field(p.Session, "attempt"); got != strconv.Itoa(100+i) {
				t.Fatalf("attempt was repaired to %q", got)
			}
		}
	}
}

// A Redis without its data must not resurrect a fenced owner: the newer one's claim is gone with the data, but its
// connection lives, and the older one may not count on.
func TestRedisRestartedEmptyDoesNotUnfenceTheOlder(t *testing.T) {
	redis := harness.StartRedis(t)
	s := harness.Start(t, harness.Env{"REDIS_URL": redis.URL()})
	older := s.Dial(harness.Handshake{Session: uuid.NewString()})
	older.Say("a", "b")
	older.Count(1, 2)
	newer := s.Dial(harness.Handshake{Session: older.Session})
	newer.Say("c")
	newer.Count(3)
	redis.RestartEmpty()
	newer.Say("d")
	newer.Count(4)
	older.Say("late")
	older.Closed(4001)
	newer.Say("e")
	newer.Count(5)
}

// The older connection may be the first to speak to a Redis without its data; the newer one takes the session back.
func TestRedisRestartedEmptyGoesToTheNewerAttempt(t *testing.T) {
	redis := harness.StartRedis(t)
	env := harness.Env{"REDIS_URL": redis.URL()}
	blue, green := harness.Start(t, env), harness.Start(t, env)
	session := uuid.NewString()
	older := blue.Dial(harness.Handshake{Sub: harness.V1, Session: session, Attempt: "9"})
	older.Hello()
	older.Say("a", "b")
	older.Count(1, 2)
	newer := green.Dial(harness.Handshake{Sub: harness.V1, Session: session, Attempt: "10"})
	newer.Hello()
	newer.Say("c", "d")
	newer.Count(3, 4)
	redis.RestartEmpty()
	older.Say("late")
	older.Next() // it can't be known yet that it is too late
	newer.Say("e")
	newer.Count(5)
	older.Say("later")
	older.Closed(4001)
	newer.Say("f")
	newer.Count(6)
	if count, attempt := redis.Field(session, "count"), redis.Field(session, "attempt"); count != "6" || attempt != "10" {
		t.Errorf("Redis was repaired to count %q, attempt %q", count, attempt)
	}
}

// A connection that ends may not become the owner of what Redis has lost: the live one could never get it back.
func TestRedisRestartedEmptyIsNotRepairedByALeaver(t *testing.T) {
	redis := harness.StartRedis(t)
	env := harness.Env{"REDIS_URL": redis.URL()}
	blue, green := harness.Start(t, env), harness.Start(t, env)
	older := blue.Dial(harness.Handshake{Session: uuid.NewString()})
	older.Say("a")
	older.Count(1)
	newer := green.Dial(harness.Handshake{Session: older.Session})
	newer.Say("b")
	newer.Count(2)
	redis.RestartEmpty()
	before := blue.Metrics().Value("session_commit_batch_size_count")
	older.Close()
	harness.Eventually(t, 10*time.Second, "the leaver has told Redis", func() bool {
		return blue.Metrics().Value("session_commit_batch_size_count") > before
	})
	newer.Say("c")
	newer.Count(3)
}
