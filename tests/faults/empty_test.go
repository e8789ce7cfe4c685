package faults

import (
	"strconv"
	"testing"

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
