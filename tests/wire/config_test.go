package wire

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton/tests/harness"
)

// refusedConfig runs the server with values it has to refuse, and returns the lines on standard error.
func refusedConfig(t *testing.T, env map[string]string, dir string) []string {
	t.Helper()
	list := []string{"PATH=" + os.Getenv("PATH")}
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	p := harness.Run(t, harness.Command{Path: harness.Binary(t), Env: list, Dir: dir})
	if code := p.Exit(t, waitFor); code != 2 {
		t.Errorf("%v: exit code %d, want 2; stderr %s", env, code, p.Stderr())
	}
	return strings.Split(strings.TrimSpace(p.Stderr()), "\n")
}

func TestEveryBadValueIsRefused(t *testing.T) {
	t.Parallel()
	for name, values := range map[string][]string{
		"PORT":                        {"http", "-1", "65536", "80a", "8000 9000"},
		"COLOR":                       {"red", "blue,green"},
		"REDIS_URL":                   {"localhost:6379", "http://localhost", "redis://host:port", "redis://h/notadb", "redis://h:99999", "://"},
		"SESSION_TTL":                 {"60", "-1s", "0s", "0", "1 h", "forever"},
		"SESSION_ID_FORMAT":           {"uuid4", "any"},
		"SESSION_TOKEN_TTL":           {"7d", "0s", "-1s"},
		"HEARTBEAT_INTERVAL":          {"30", "0s", "-5s", "soon"},
		"IDLE_TIMEOUT":                {"90", "0s", "-5s"},
		"MAX_CONNECTIONS":             {"-1", "many", "1.5", "99999999999999999999"},
		"MAX_CONNECTIONS_PER_ADDRESS": {"-1", "many"},
		"MAX_MESSAGE_BYTES":           {"-1", "0", "64k", "1e3"},
		"MESSAGE_RATE":                {"-1", "fast", "NaN"},
		"CONNECT_RATE":                {"-1", "fast", "Inf"},
		"COMMIT_TIMEOUT":              {"5", "0s", "-1s"},
		"DRAIN_TIMEOUT":               {"10", "0s", "-1s"},
		"DRAIN_SPREAD":                {"3", "0s", "-1s", "x"},
		"ALLOWED_ORIGINS":             {"example.com", "https://example.com/path", "https://", "https://*.example.com", "ftp//x", "https://a.example,nonsense"},
		"TRUSTED_PROXIES":             {"proxy", "10.0.0.0/33", "10.0.0", "10.0.0.0/8,nonsense"},
		"LOG_LEVEL":                   {"loud", "7"},
		"LOG_FORMAT":                  {"xml", "JSON5"},
	} {
		for _, value := range values {
			lines := refusedConfig(t, map[string]string{name: value}, "")
			if len(lines) != 1 || !strings.Contains(lines[0], name) {
				t.Errorf("%s=%q: want one line that names it, got %q", name, value, lines)
			}
			if name != "REDIS_URL" && !strings.Contains(lines[0], strings.TrimSpace(strings.Split(value, ",")[0])) && !strings.Contains(lines[0], "nonsense") {
				t.Errorf("%s=%q: the line does not say the value: %s", name, value, lines[0])
			}
		}
	}
}

func TestBadValuesAreToldAllAtOnce(t *testing.T) {
	t.Parallel()
	bad := map[string]string{
		"PORT": "x", "COLOR": "red", "REDIS_URL": "redis://user:s3cret@host:port/0", "SESSION_TTL": "x", "SESSION_ID_FORMAT": "x",
		"HEARTBEAT_INTERVAL": "x", "IDLE_TIMEOUT": "x", "MAX_CONNECTIONS": "x", "MAX_MESSAGE_BYTES": "x", "MESSAGE_RATE": "x",
		"CONNECT_RATE": "x", "COMMIT_TIMEOUT": "x", "DRAIN_TIMEOUT": "x", "DRAIN_SPREAD": "x", "ALLOWED_ORIGINS": "x",
		"TRUSTED_PROXIES": "x", "LOG_LEVEL": "x", "LOG_FORMAT": "x",
	}
	lines := refusedConfig(t, bad, "")
	for name := range bad {
		n := 0
		for _, line := range lines {
			if strings.Contains(line, name) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s is in %d lines of\n%s", name, n, strings.Join(lines, "\n"))
		}
	}
	if len(lines) != len(bad) {
		t.Errorf("%d lines for %d errors:\n%s", len(lines), len(bad), strings.Join(lines, "\n"))
	}
	if all := strings.Join(lines, "\n"); strings.Contains(all, "s3cret") {
		t.Errorf("the password is told:\n%s", all)
	}
}

func TestSecretsAreMaskedWhereverTheURLBreaks(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"redis://user:s3cret@host:port", "redis://:s3cret@host/x", "redis://user:s3cret%zz@host", "user:s3cret@host", "http://u:s3cret@h",
		"redis://u:s3cret@ho st/0", "redis://u:s3cret@h:1/0?nonsense=1", "redis:/u:s3cret@h",
	} {
		if all := strings.Join(refusedConfig(t, map[string]string{"REDIS_URL": url}, ""), "\n"); strings.Contains(all, "s3cret") {
			t.Errorf("%s: %s", url, all)
		}
	}
}

func TestEmptyIsTheDefault(t *testing.T) {
	t.Parallel()
	env := harness.Env{}
	for _, name := range []string{
		"COLOR", "REDIS_URL", "SESSION_TTL", "SESSION_ID_FORMAT", "HEARTBEAT_INTERVAL", "IDLE_TIMEOUT", "MAX_CONNECTIONS",
		"MAX_MESSAGE_BYTES", "MESSAGE_RATE", "CONNECT_RATE", "COMMIT_TIMEOUT", "DRAIN_TIMEOUT", "DRAIN_SPREAD", "ALLOWED_ORIGINS",
		"TRUSTED_PROXIES", "LOG_LEVEL", "LOG_FORMAT",
	} {
		env[name] = ""
	}
	s := harness.Start(t, env)
	if color := s.Get("/healthz").JSON(t)["color"]; color != "blue" {
		t.Errorf("color %v", color)
	}
	s.Dial(harness.Handshake{}).Silent()
	if len(s.Logs(t)) == 0 {
		t.Error("nothing in the log")
	}
}

func TestDotEnvIsReadAndTheEnvironmentWins(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	dotenv := "COLOR=red\nSESSION_TTL=soon # a comment\n"
	if err := os.WriteFile(filepath.Join(dir, ".env"), []byte(dotenv), 0o600); err != nil {
		t.Fatal(err)
	}
	if lines := refusedConfig(t, nil, dir); len(lines) != 2 {
		t.Errorf("a .env with two bad values: %q", lines)
	}
	lines := refusedConfig(t, map[string]string{"COLOR": "green"}, dir)
	if len(lines) != 1 || !strings.Contains(lines[0], "SESSION_TTL") {
		t.Errorf("the environment should win over .env: %q", lines)
	}
	if err := os.WriteFile(filepath.Join(dir, ".env"), []byte("this is = = no env\n'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	refusedConfig(t, nil, dir)
}
