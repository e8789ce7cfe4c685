package wire

import (
	"slices"
	"strings"
	"testing"
	"time"

	"baton/tests/harness"
)

// live is a connection's whole story: connect, 50 messages, a takeover, a violation, a drop, a drain.
func live(t *testing.T, env harness.Env) *harness.Server {
	t.Helper()
	env["DRAIN_SPREAD"] = "100ms"
	s := harness.Start(t, env)
	p := s.Dial(harness.Handshake{Session: sessionA, Header: []string{"X-Forwarded-For: 203.0.113.7"}})
	p.Say(harness.Repeat("a message's own words", 50)...)
	p.Count(1, 50)
	newer := s.Dial(harness.Handshake{Session: sessionA})
	p.Say("m")
	p.Closed(4001)
	newer.Send(harness.Frame{Op: 3})
	newer.Closed(1002)
	s.Dial(harness.Handshake{Session: sessionB}).Close()
	s.Refused(harness.Handshake{Session: "evil%0a%7B%22level%22:%22error%22%7D"})
	last := s.Dial(harness.Handshake{})
	s.Terminate()
	last.Closed(1001)
	if code := s.Exit(t, waitFor); code != 0 {
		t.Errorf("exit code %d", code)
	}
	return s
}

func TestLogLines(t *testing.T) {
	t.Parallel()
	s := live(t, harness.Env{"COLOR": "green"})
	lines := s.Logs(t)
	var ofSession, withRemote, withRequest int
	for _, line := range lines {
		at, err := time.Parse(time.RFC3339Nano, line.Text("time"))
		if err != nil || time.Since(at) > time.Minute {
			t.Errorf("time of %v: %v", line, err)
		}
		if level := strings.ToLower(line.Text("level")); !strings.Contains("debug info warn error", level) || level == "" || level == "debug" {
			t.Errorf("level of %v", line)
		}
		if line.Text("msg") == "" || line.Text("color") != "green" || line.Text("instance") == "" {
			t.Errorf("msg, color or instance of %v", line)
		}
		if id := line.Text("session_id"); id != "" && len(id) != 8 {
			t.Errorf("session_id of %v", line)
		}
		if line.Text("session_id") == sessionA[:8] {
			ofSession++
		}
		if line.Text("remote") == "203.0.113.7" {
			withRemote++
		}
		if line.Text("request_id") != "" {
			withRequest++
		}
	}
	if ofSession < 3 || withRemote < 2 || withRequest < 3 {
		t.Errorf("%d lines of the session, %d with its address, %d with a request id, in\n%s", ofSession, withRemote, withRequest, s.Stdout())
	}
	if len(lines) > 40 {
		t.Errorf("%d lines: is there one a message?", len(lines))
	}
	if all := s.Stdout() + s.Stderr(); strings.Contains(all, sessionA) || strings.Contains(all, sessionB) || strings.Contains(all, "own words") {
		t.Errorf("a whole session id or a message is in the log:\n%s", all)
	}
	if s.Stderr() != "" {
		t.Errorf("stderr: %s", s.Stderr())
	}
}

func TestLogTellsOfEachEvent(t *testing.T) {
	t.Parallel()
	out := strings.ToLower(live(t, harness.Env{}).Stdout())
	for _, event := range []string{"connect", "disconnect", "drain", "embedded"} {
		if !strings.Contains(out, event) {
			t.Errorf("nothing about %q in\n%s", event, out)
		}
	}
	if !strings.Contains(out, "fence") && !strings.Contains(out, "4001") {
		t.Errorf("nothing about the fence in\n%s", out)
	}
}

func TestLogLevelAndFormat(t *testing.T) {
	t.Parallel()
	quiet := live(t, harness.Env{"LOG_LEVEL": "error"})
	if out := quiet.Stdout(); strings.TrimSpace(out) != "" {
		t.Errorf("at level error: %s", out)
	}
	text := live(t, harness.Env{"LOG_FORMAT": "text"})
	if out := text.Stdout(); strings.HasPrefix(out, "{") || !strings.Contains(out, sessionA[:8]) || strings.Contains(out, sessionA) {
		t.Errorf("as text: %s", out)
	}
	if all := live(t, harness.Env{"LOG_LEVEL": "debug"}).Stdout(); strings.Contains(all, sessionA) || strings.Contains(all, "own words") {
		t.Errorf("at level debug a whole session id or a message is told: %s", all)
	}
}

func TestLogTellsTheStatusThatWasAnswered(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"LOG_LEVEL": "debug"})
	s.Get("/nothing-here")
	s.Request("POST", "/version")
	var statuses []any
	for _, line := range s.Logs(t) {
		if path := line.Text("path"); path == "/nothing-here" || path == "/version" {
			statuses = append(statuses, line["status"], line["level"])
		}
	}
	if want := []any{404.0, "DEBUG", 405.0, "DEBUG"}; !slices.Equal(statuses, want) {
		t.Errorf("logged %v, want %v", statuses, want)
	}
}

func TestLogKeepsSecrets(t *testing.T) {
	t.Parallel()
	redis := harness.PrepareRedis(t)
	s := harness.StartUnready(t, harness.Env{"REDIS_URL": "redis://user:s3cret@" + redis.Addr + "/0", "LOG_LEVEL": "debug", "COMMIT_TIMEOUT": "300ms"})
	s.WaitNotReady()
	s.Refused(harness.Handshake{})
	answer := s.Get("/readyz")
	s.Terminate()
	s.Exit(t, waitFor)
	if all := s.Stdout() + s.Stderr() + answer.Body; strings.Contains(all, "s3cret") {
		t.Errorf("the password is told:\n%s", all)
	}
}

func TestLogRemoteOfAnUntrustedPeer(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"TRUSTED_PROXIES": "192.0.2.0/24"})
	for _, value := range []string{"203.0.113.7", "garbage\tx", strings.Repeat("9", 2000)} {
		s.Dial(harness.Handshake{Header: []string{"X-Forwarded-For: " + value}})
	}
	harness.Eventually(t, waitFor, "three connects are logged", func() bool {
		n := 0
		for _, line := range s.Logs(t) {
			if line.Text("remote") == "127.0.0.1" {
				n++
			}
		}
		return n >= 3
	})
	trusting := harness.Start(t, nil)
	for _, value := range []string{"garbage", "", "203.0.113.7:1234, nonsense", "[::1", "10.0.0.1"} {
		trusting.Dial(harness.Handshake{Header: []string{"X-Forwarded-For: " + value}})
	}
	for _, line := range append(s.Logs(t), trusting.Logs(t)...) {
		if remote := line.Text("remote"); strings.Contains(remote, "garbage") || strings.Contains(remote, "nonsense") || len(remote) > 45 {
			t.Errorf("an invented address is logged: %v", line)
		}
	}
}
