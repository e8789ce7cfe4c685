// Package chat runs the chat room of docs/examples as a user would: a blue and a green process that share a Redis.
package chat

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"baton/tests/harness"
)

func TestMain(m *testing.M) { harness.MainOf(m, "./docs/examples/chat") }

const within = 20 * time.Second

// member is somebody in the room, with the lines heard and the last count.
type member struct {
	*harness.Peer
	count int
	heard map[string]int // text: how often
}

func enter(t *testing.T, s *harness.Server, session, attempt string) *member {
	t.Helper()
	m := &member{Peer: s.Dial(harness.Handshake{Session: session, Attempt: attempt, Sub: harness.V1}), heard: map[string]int{}}
	m.count = int(m.Hello()["count"].(float64))
	return m
}

// take reads one object. Counts have to rise by one.
func (m *member) take(t *testing.T) map[string]any {
	t.Helper()
	object := m.Object()
	if count, ok := object["count"].(float64); ok && object["type"] == nil {
		if m.count++; int(count) != m.count {
			t.Fatalf("count %v, want %d", count, m.count)
		}
	}
	if object["type"] == "line" {
		m.heard[object["text"].(string)]++
	}
	return object
}

func (m *member) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !holds(); m.take(t) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s; heard %v, count %d", within, what, m.heard, m.count)
		}
	}
}

func start(t *testing.T, redis *harness.Redis, color string) *harness.Server {
	t.Helper()
	s := harness.Start(t, harness.Env{"REDIS_URL": redis.URL(), "CHANNEL_LAYER": "redis", "COLOR": color, "DRAIN_SPREAD": "2s"})
	subscribed(t, s, 1)
	return s
}

func subscribed(t *testing.T, s *harness.Server, want float64) {
	t.Helper()
	s.WaitMetric(want, "channel_subscribed")
}

const (
	anna = "0e37df36-f698-4d1c-9f0e-0d8bde6b2f6a"
	ben  = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
)

func TestBothColorsHearEachOtherThroughADrain(t *testing.T) {
	redis := harness.StartRedis(t)
	blue, green := start(t, redis, "blue"), start(t, redis, "green")
	a, b := enter(t, blue, anna, "1"), enter(t, green, ben, "1")
	const each = 200
	for i := range each {
		a.Say(fmt.Sprintf("a%d", i))
		b.Say(fmt.Sprintf("b%d", i))
	}
	for _, m := range []*member{a, b} {
		m.until(t, "all counted, every line heard once", func() bool { return m.count == each && len(m.heard) == 2*each })
		for text, times := range m.heard {
			if times != 1 {
				t.Errorf("%s was heard %d times", text, times)
			}
		}
	}

	blue.Terminate()
	a.until(t, "asked to move", func() bool { return a.take(t)["type"] == "reconnect" })
	a.Say("from the draining color")
	b.until(t, "heard from the draining color", func() bool { return b.heard["from the draining color"] == 1 })
	b.Say("to the draining color")
	a.until(t, "heard on the draining color", func() bool { return a.heard["to the draining color"] == 1 })

	moved := enter(t, green, anna, "2")
	if moved.count != each+1 {
		t.Errorf("moved with count %d, want %d", moved.count, each+1)
	}
	a.Close()
	moved.Say("from green")
	b.until(t, "heard after the move", func() bool { return b.heard["from green"] == 1 })
	moved.until(t, "counted after the move", func() bool { return moved.count == each+2 && moved.heard["from green"] == 1 })
	if code := blue.Exit(t, within); code != 0 {
		t.Errorf("blue ended with %d", code)
	}
	if stored := redis.Field(anna, "count"); stored != strconv.Itoa(each+2) {
		t.Errorf("stored count %s, want %d", stored, each+2)
	}
}

func TestARoomIsHeardAgainAfterRedisWasAway(t *testing.T) {
	redis := harness.StartRedis(t)
	s := start(t, redis, "blue")
	a, b := enter(t, s, anna, "1"), enter(t, s, ben, "1")
	redis.Kill()
	subscribed(t, s, 0)
	redis.Start()
	subscribed(t, s, 1)
	a.Say("back")
	b.until(t, "heard", func() bool { return b.heard["back"] == 1 })
	a.until(t, "counted", func() bool { return a.count == 1 })
}

func TestAMemberWhoDoesNotReadIsCutAndDelaysNobody(t *testing.T) {
	s := harness.Start(t, harness.Env{"CHANNEL_LAYER": "redis"}) // the embedded store carries it
	subscribed(t, s, 1)
	enter(t, s, ben, "1") // never reads again
	a := enter(t, s, anna, "1")
	line := make([]byte, 30000)
	for i := range line {
		line[i] = 'x'
	}
	harness.Eventually(t, within, "the silent one is closed 4002", func() bool {
		a.Say(string(line))
		want := a.count + 1
		a.until(t, "counted and heard", func() bool { return a.count == want && a.heard[string(line)] == want })
		return s.Metrics().Value("websocket_closes_total", "code", "4002") == 1
	})
}
