package wire

import (
	"context"
	"strings"
	"testing"
	"time"

	"baton/client"
	"baton/tests/harness"
)

const (
	keyA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	keyB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func TestASignedSessionIsResumedByItsTokenOnly(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"SESSION_KEYS": keyA})
	first := s.Dial(harness.Handshake{Sub: harness.V1, Attempt: "1"})
	signed, _ := first.Hello()["session_id"].(string)
	id, _, found := strings.Cut(signed, ".")
	if !found || signed != first.Session {
		t.Fatalf("session message %q, X-Session-Id %q", signed, first.Session)
	}
	first.Say("m")
	first.Count(1)
	stolen := []string{id, sessionA, signed[:len(signed)-4], id + ".zzzzzz." + signed[strings.LastIndex(signed, ".")+1:], sessionA + signed[len(id):]}
	for _, attempt := range stolen {
		answer := s.Refused(harness.Handshake{Session: attempt, Sub: harness.V1, Attempt: "2"})
		if answer.Status != 401 || answer.ErrorCode(t) != "session_token_invalid" {
			t.Errorf("%s: %d %s", attempt, answer.Status, answer.Body)
		}
	}
	first.Say("m") // nobody took it over
	first.Count(2)
	if got := s.Metrics().Value("websocket_errors_total", "reason", "session_token_invalid"); got != float64(len(stolen)) {
		t.Errorf("counted %v refusals, want %d", got, len(stolen))
	}
	resumed := s.Dial(harness.Handshake{Session: signed, Sub: harness.V1, Attempt: "2"})
	if hello := resumed.Hello(); hello["count"] != 2.0 || hello["session_id"] != signed {
		t.Errorf("resumed with %v", hello)
	}
	if logs := s.Stdout() + s.Stderr(); strings.Contains(logs, signed[len(id):]) || strings.Contains(logs, keyA) {
		t.Error("the log shows a token or a key")
	}
}

func TestSignedSessionsSurviveARotationOfKeysAndThenExpire(t *testing.T) {
	t.Parallel()
	redis := harness.StartRedis(t)
	start := func(keys, life string) *harness.Server {
		return harness.Start(t, harness.Env{"REDIS_URL": redis.URL(), "SESSION_KEYS": keys, "SESSION_TOKEN_TTL": life})
	}
	old := start(keyA, "1h").Dial(harness.Handshake{})
	old.Say("m")
	old.Count(1)
	rotated := start(keyB+","+keyA, "1h").Dial(harness.Handshake{Session: old.Session})
	rotated.Say("m")
	rotated.Count(2)
	if rotated.Session == old.Session {
		t.Error("not signed anew by the new first key")
	}
	young := start(keyB, "1ms")
	if answer := young.Refused(harness.Handshake{Session: old.Session}); answer.ErrorCode(t) != "session_token_invalid" {
		t.Errorf("the key that was dropped: %d %s", answer.Status, answer.Body)
	}
	last := young.Dial(harness.Handshake{Session: rotated.Session})
	last.Say("m")
	last.Count(3)
	brief := young.Dial(harness.Handshake{})
	time.Sleep(10 * time.Millisecond)
	if answer := young.Refused(harness.Handshake{Session: brief.Session}); answer.Status != 401 || answer.ErrorCode(t) != "session_token_expired" {
		t.Errorf("expired: %d %s", answer.Status, answer.Body)
	}
}

func TestTheGoClientCarriesTheSignedSessionOn(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"SESSION_KEYS": keyA})
	door := harness.Balance(t, s.Addr)
	ctx, cancel := context.WithTimeout(context.Background(), 3*waitFor)
	defer cancel()
	resumes := make(chan client.Session, 100)
	c, err := client.Dial(ctx, client.Config{
		URL:    "ws://" + door.Addr + "/ws/chat/",
		Events: client.Events{Session: func(s client.Session) { resumes <- s }},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	<-resumes
	door.Cut(1)
	select {
	case again := <-resumes:
		if !strings.Contains(again.ID, ".") || c.SessionID() != again.ID {
			t.Errorf("resumed as %q, the client says %q", again.ID, c.SessionID())
		}
	case <-ctx.Done():
		t.Fatal("not resumed")
	}
}
