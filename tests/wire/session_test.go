package wire

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"baton/tests/harness"
)

var uuid4 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestSessionIsMadeWhenNoneIsGiven(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	seen := map[string]bool{}
	for _, query := range []string{"", "session_id=", "session_id", "other=1"} {
		p := s.Dial(harness.Handshake{Query: query})
		if !uuid4.MatchString(p.Session) || seen[p.Session] {
			t.Errorf("%q: X-Session-Id is %q", query, p.Session)
		}
		seen[p.Session] = true
		p.Say("m")
		p.Count(1)
		p.Close()
		again := s.Dial(harness.Handshake{Session: p.Session})
		again.Say("m")
		again.Count(2)
	}
}

func TestSessionUpperCaseIsFolded(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	for n, id := range []string{sessionA, strings.ToUpper(sessionA), strings.ToUpper(sessionA[:9]) + sessionA[9:]} {
		p := s.Dial(harness.Handshake{Session: id})
		if p.Session != sessionA {
			t.Errorf("X-Session-Id is %q, want %q", p.Session, sessionA)
		}
		p.Say("m")
		p.Count(n + 1)
		p.Close()
	}
}

func TestSessionEveryUUIDVersionIsTaken(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	for _, id := range []string{
		"c232ab00-9414-11ec-b3c8-9f6bdeced846", // 1
		"a3bb189e-8bf9-3888-9912-ace4e6543002", // 3
		"017f22e2-79b0-7cc3-98c4-dc0c0c07398f", // 7
	} {
		if p := s.Dial(harness.Handshake{Session: id}); p.Session != id {
			t.Errorf("X-Session-Id is %q, want %q", p.Session, id)
		}
	}
}

func TestSessionOtherSpellingsAreRefused(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	for name, id := range map[string]string{
		"braces":         "%7B" + sessionA + "%7D",
		"urn":            "urn:uuid:" + sessionA,
		"no dashes":      strings.ReplaceAll(sessionA, "-", ""),
		"short":          sessionA[:35],
		"long":           sessionA + "0",
		"not hex":        "g" + sessionA[1:],
		"dash moved":     "0e37df3-6f698-4d1c-9f0e-0d8bde6b2f6a",
		"space after":    sessionA + "%20",
		"space before":   "%20" + sessionA[1:],
		"plus":           "+" + sessionA[1:],
		"newline":        sessionA + "%0d%0aSet-Cookie:%20a=b",
		"NUL":            sessionA[:35] + "%00",
		"not ASCII":      "%C3%A9" + sessionA[2:],
		"wide digits":    "%EF%BC%90" + sessionA[3:],
		"quotes":         "%22" + sessionA + "%22",
		"path":           "../../etc/passwd",
		"token":          "a",
		"very long":      strings.Repeat("a", 3000),
		"closing braces": sessionA[:35] + "%7D",
	} {
		t.Run(name, func(t *testing.T) {
			answer := s.Refused(harness.Handshake{Session: id})
			if code := answer.ErrorCode(t); answer.Status != 400 || code != "session_id_invalid" {
				t.Errorf("%d %s", answer.Status, code)
			}
		})
	}
}

func TestSessionTokenFormat(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"SESSION_ID_FORMAT": "token"})
	for _, id := range []string{"a", "user_42", "A-b_9", strings.Repeat("x", 64), sessionA, "-", "_"} {
		p := s.Dial(harness.Handshake{Session: id})
		if p.Session != id {
			t.Errorf("X-Session-Id is %q, want %q", p.Session, id)
		}
		p.Say("m")
		p.Count(1)
	}
	for _, id := range []string{strings.Repeat("x", 65), "a.b", "a%20b", "%C3%A9", "a:b", "%7Ba%7D", "a%00"} {
		if answer := s.Refused(harness.Handshake{Session: id}); answer.Status != 400 || answer.ErrorCode(t) != "session_id_invalid" {
			t.Errorf("%q: %d %s", id, answer.Status, answer.Body)
		}
	}
	if p := s.Dial(harness.Handshake{}); !uuid4.MatchString(p.Session) {
		t.Errorf("X-Session-Id is %q, want a UUIDv4", p.Session)
	}
}

func TestSessionGoesOnOnTheOtherColorAndAfterACrash(t *testing.T) {
	t.Parallel()
	redis := harness.StartRedis(t)
	blue := harness.Start(t, harness.Env{"REDIS_URL": redis.URL()})
	green := harness.Start(t, harness.Env{"REDIS_URL": redis.URL(), "COLOR": "green"})
	first := blue.Dial(harness.Handshake{Session: sessionA})
	first.Say("a", "b")
	first.Count(1, 2)
	second := green.Dial(harness.Handshake{Session: sessionA})
	second.Say("c")
	second.Count(3)
	green.Kill()
	third := blue.Dial(harness.Handshake{Session: sessionA})
	third.Say("d")
	third.Count(4)
	other := blue.Dial(harness.Handshake{Session: sessionB})
	other.Say("a")
	other.Count(1)
}

func TestSessionSurvivesTerminationAndRedisRestart(t *testing.T) {
	t.Parallel()
	redis := harness.StartRedis(t)
	env := harness.Env{"REDIS_URL": redis.URL()}
	s := harness.Start(t, env)
	p := s.Dial(harness.Handshake{Session: sessionA})
	p.Say(harness.Repeat("m", 7)...)
	p.Count(1, 7)
	s.Terminate()
	p.Closed(1001)
	if code := s.Exit(t, 5*time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
	redis.Restart()
	if got := stored(t, harness.Start(t, env), sessionA); got != 7 {
		t.Errorf("count is %d, want 7", got)
	}
}
