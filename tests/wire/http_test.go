package wire

import (
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"baton/tests/harness"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"COLOR": "green"})
	answer := s.Get("/healthz")
	health := answer.JSON(t)
	if answer.Status != 200 || health["status"] != "ok" || health["color"] != "green" || len(health) != 3 {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
	if version, _ := health["version"].(string); version == "" {
		t.Errorf("no version: %s", answer.Body)
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	redis := harness.StartRedis(t)
	s := harness.Start(t, harness.Env{"REDIS_URL": redis.URL(), "COMMIT_TIMEOUT": "1s"})
	answer := s.Get("/readyz")
	if answer.Status != 200 || !sameJSON(answer.Body, `{"status":"ready","checks":{"redis":"ok","draining":false}}`) {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
	redis.Pause()
	start := time.Now()
	answer = s.Get("/readyz")
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("/readyz took %v with a stuck Redis", took)
	}
	checks, _ := answer.JSON(t)["checks"].(map[string]any)
	why, _ := checks["redis"].(string)
	if answer.Status != 503 || answer.JSON(t)["status"] != "not_ready" || why == "" || why == "ok" || checks["draining"] != false {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
	redis.Resume()
	s.WaitReady()
}

func TestVersion(t *testing.T) {
	t.Parallel()
	started := time.Now()
	s := harness.Start(t, nil)
	answer := s.Get("/version")
	version := answer.JSON(t)
	for _, name := range []string{"color", "instance", "version", "commit", "go", "started_at"} {
		if text, _ := version[name].(string); text == "" {
			t.Errorf("no %s: %s", name, answer.Body)
		}
	}
	if version["color"] != "blue" || len(version) != 6 || version["go"] != runtime.Version() {
		t.Errorf("%s", answer.Body)
	}
	at, err := time.Parse(time.RFC3339, version["started_at"].(string))
	if err != nil || at.Before(started.Add(-2*time.Second)) || at.After(time.Now().Add(time.Second)) {
		t.Errorf("started_at %v: %v", version["started_at"], err)
	}
	other := harness.Start(t, nil)
	if other.Get("/version").JSON(t)["instance"] == version["instance"] {
		t.Error("two processes have the same instance")
	}
}

func TestNotFoundAndMethodNotAllowed(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	for _, path := range []string{"/nope", "/healthz/nope", "/ws", "/ws/chat/x", "/.env", "/%2e%2e/etc/passwd", "//", "/debug/pprof/"} {
		answer := s.Get(path)
		if answer.Status != 404 {
			t.Errorf("GET %s: %d", path, answer.Status)
			continue
		}
		answer.ErrorCode(t)
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/version", "/", "/ws/chat/", "/ws/chat"} {
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
			answer := s.Request(method, path)
			if answer.Status != 405 {
				t.Errorf("%s %s: %d", method, path, answer.Status)
				continue
			}
			answer.ErrorCode(t)
			if !strings.Contains(answer.Header.Get("Allow"), "GET") {
				t.Errorf("%s %s: Allow is %q", method, path, answer.Header.Get("Allow"))
			}
		}
	}
	for _, path := range []string{"/healthz", "/readyz", "/version", "/metrics", "/"} {
		if answer := s.Request("HEAD", path); answer.Status != 200 || answer.Body != "" {
			t.Errorf("HEAD %s: %d %q", path, answer.Status, answer.Body)
		}
	}
}

func TestConsolePage(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	answer := s.Get("/")
	if answer.Status != 200 || !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html") {
		t.Fatalf("%d %v", answer.Status, answer.Header)
	}
	policy := answer.Header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Errorf("Content-Security-Policy is %q", policy)
	}
	framing := answer.Header.Get("X-Frame-Options")
	if !strings.Contains(policy, "frame-ancestors 'none'") && framing != "DENY" {
		t.Errorf("may be framed: %q %q", policy, framing)
	}
	if got := answer.Header.Get("X-Content-Type-Options"); got != "nosniff" {
		t.Errorf("X-Content-Type-Options is %q", got)
	}
	if answer.Header.Get("Referrer-Policy") == "" {
		t.Error("no Referrer-Policy")
	}
	if got := answer.Header.Get("Server"); strings.Contains(strings.ToLower(got), "fiber") || strings.Contains(strings.ToLower(got), "fasthttp") {
		t.Errorf("Server tells %q", got)
	}
	for _, asset := range regexp.MustCompile(`(?:src|href)="([^"#]+)"`).FindAllStringSubmatch(answer.Body, -1) {
		checkAsset(t, s, asset[1])
	}
	if regexp.MustCompile(`(?i)<script>|<style>|\son\w+=|style="`).MatchString(answer.Body) {
		t.Error("inline script or style, which the policy would block")
	}
}

func checkAsset(t *testing.T, s *harness.Server, path string) {
	t.Helper()
	if strings.Contains(path, "//") {
		if strings.HasSuffix(path, ".js") || strings.HasSuffix(path, ".css") {
			t.Errorf("%s is not served by the process itself", path)
		}
		return
	}
	if strings.HasPrefix(path, "data:") {
		return
	}
	answer := s.Get("/" + strings.TrimPrefix(strings.TrimPrefix(path, "/"), "./"))
	isAsset := strings.Contains(path, ".") // the page also links to /metrics and its like
	if answer.Status != 200 || isAsset && answer.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s: %d, X-Content-Type-Options %q", path, answer.Status, answer.Header.Get("X-Content-Type-Options"))
	}
}
