package wire

import (
	"testing"

	"baton/tests/harness"
)

func TestV1SessionMessageIsFirst(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"COLOR": "green"})
	p := s.Dial(harness.Handshake{Sub: harness.V1, Session: sessionA, Attempt: "1"})
	checkHello(t, p.Hello(), 0, false)
	p.Say("a", "b", "c")
	p.Count(1, 3)
	p.Close()
	again := s.Dial(harness.Handshake{Sub: harness.V1, Session: sessionA, Attempt: "2"})
	hello := again.Hello()
	checkHello(t, hello, 3, true)
	if hello["session_id"] != sessionA || hello["color"] != "green" {
		t.Errorf("session message %v", hello)
	}
	if version := s.Get("/version").JSON(t); version["instance"] != hello["instance"] {
		t.Errorf("instance %v, /version says %v", hello["instance"], version["instance"])
	}
	again.Say("d")
	again.Count(4)
	again.Silent()
}

func TestV1ResumedTellsWhetherRedisHadTheSession(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	unused := s.Dial(harness.Handshake{Sub: harness.V1})
	checkHello(t, unused.Hello(), 0, false)
	unused.Close()
	// Claimed, though never counted: Redis has it.
	checkHello(t, s.Dial(harness.Handshake{Sub: harness.V1, Session: unused.Session}).Hello(), 0, true)
	plain := s.Dial(harness.Handshake{})
	plain.Say("m")
	plain.Count(1)
	checkHello(t, s.Dial(harness.Handshake{Sub: harness.V1, Session: plain.Session}).Hello(), 1, true)
}

func checkHello(t *testing.T, hello map[string]any, count int, resumed bool) {
	t.Helper()
	if hello["count"] != float64(count) || hello["resumed"] != resumed || len(hello) != 6 {
		t.Errorf("session message %v, want count %d, resumed %v and six fields", hello, count, resumed)
	}
	for _, name := range []string{"session_id", "color", "instance"} {
		if text, _ := hello[name].(string); text == "" {
			t.Errorf("session message %v has no %s", hello, name)
		}
	}
}
