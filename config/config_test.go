package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func env(pairs ...string) func(string) string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return m[name] }
}

func TestAnEmptyValueIsTheDefault(t *testing.T) {
	c, err := FromEnv(env("PORT", "", "COLOR", " "))
	if err != nil {
		t.Fatal(err)
	}
	if c.Port != 8000 || c.Color != "blue" || c.SessionTTL != time.Hour || c.MaxConnections != 7000 || len(c.TrustedProxies) == 0 {
		t.Errorf("got %+v", c)
	}
}

func TestEveryBadValueIsNamedAtOnce(t *testing.T) {
	bad := map[string]string{
		"HOST": "a/b", "PORT": "70000", "COLOR": "red", "REDIS_URL": "http://x", "CHANNEL_LAYER": "carrier pigeon", "REDIS_WAIT_REPLICAS": "-1", "SESSION_TTL": "3600", "SESSION_ID_FORMAT": "any",
		"SESSION_KEYS": "***", "SESSION_TOKEN_TTL": "7d", "JWT_KEYS": "***", "JWT_ALGORITHMS": "none", "HEARTBEAT_INTERVAL": "-1s", "IDLE_TIMEOUT": "0", "MAX_CONNECTIONS": "-1", "MAX_CONNECTIONS_PER_ADDRESS": "many", "MAX_MESSAGE_BYTES": "0", "MESSAGE_RATE": "fast",
		"CONNECT_RATE": "1.5", "COMMIT_TIMEOUT": "0s", "DRAIN_TIMEOUT": "never", "DRAIN_SPREAD": "3", "ALLOWED_ORIGINS": "https://a.example/path",
		"TRUSTED_PROXIES": "everyone", "LOG_LEVEL": "loud", "LOG_FORMAT": "xml",
		"OTEL_EXPORTER_OTLP_ENDPOINT": "grpc://x:4317", "OTEL_EXPORTER_OTLP_HEADERS": "x://y", "OTEL_TRACES_SAMPLER": "some",
		"OTEL_TRACES_SAMPLER_ARG": "NaN", "OTEL_SDK_DISABLED": "perhaps",
	}
	anyText := []string{"OTEL_SERVICE_NAME", "JWT_ISSUER", "JWT_AUDIENCE", "JWT_SESSION_CLAIM"}
	known := slices.DeleteFunc(Variables(), func(v Variable) bool { return slices.Contains(anyText, v.Name) })
	_, err := FromEnv(func(name string) string { return bad[name] })
	var all *Error
	if !errors.As(err, &all) || len(all.Problems) != len(known) {
		t.Fatalf("got %v, want %d problems", err, len(known))
	}
	for i, v := range known {
		if p := all.Problems[i]; !strings.HasPrefix(p, v.Name+"=") || !strings.Contains(p, bad[v.Name]) || strings.Contains(p, "\n") {
			t.Errorf("problem of %s: %s", v.Name, p)
		}
	}
}

func TestSecretsAreMasked(t *testing.T) {
	for _, url := range []string{
		"rediss://user:hunter2@", "redis+sentinel://u:hunter2@a:1,b:2/m/x?sentinel_password=hunter2", "redis+cluster://u:hunter2@a,b?hunter2=1", "http://user:hunter2@host/0", "redis://:hunter2@host:port/0", "hunter2", "redis:hunter2", "unix://?password=hunter2",
	} {
		_, err := FromEnv(env("REDIS_URL", url))
		if err == nil {
			t.Errorf("%s was taken", url)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("secret shown: %v", err)
		}
	}
}

func TestSessionKeys(t *testing.T) {
	a, b := strings.Repeat("a", 32), strings.Repeat("b", 32)
	if c, err := FromEnv(env("SESSION_KEYS", a+", "+b)); err != nil || !slices.Equal(c.SessionKeys, []string{a, b}) {
		t.Errorf("got %v, %v", c.SessionKeys, err)
	}
	for _, bad := range []string{"hunter2", a + ",hunter2", "x://hunter2"} {
		if _, err := FromEnv(env("SESSION_KEYS", bad)); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestTracingsHeaders(t *testing.T) {
	c, err := FromEnv(env("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Basic%20aHVudGVyMg==, x-team = a%2Cb"))
	if err != nil || c.Tracing.Headers["Authorization"] != "Basic aHVudGVyMg==" || c.Tracing.Headers["x-team"] != "a,b" {
		t.Errorf("got %v, %v", c.Tracing.Headers, err)
	}
	for _, bad := range []string{"hunter2", "=hunter2", "a b=hunter2", "a=hunter2%0d%0ab", "a=hunter2%", "ä=hunter2"} {
		_, err := FromEnv(env("OTEL_EXPORTER_OTLP_HEADERS", bad))
		if err == nil {
			t.Errorf("%q was taken", bad)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("secret shown: %v", err)
		}
	}
}

func TestDotenvIsReadAndTheEnvironmentWins(t *testing.T) {
	file := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(file, []byte("COLOR=green\nPORT=1234\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PORT", "4321")
	t.Setenv("COLOR", "") // restored at the end: godotenv sets variables
	if err := os.Unsetenv("COLOR"); err != nil {
		t.Fatal(err)
	}
	c, err := Load(file, filepath.Join(t.TempDir(), "missing"))
	if err != nil || c.Color != "green" || c.Port != 4321 {
		t.Errorf("got %s %d, %v", c.Color, c.Port, err)
	}
}

func FuzzFromEnv(f *testing.F) {
	f.Add("redis://h", "10.0.0.0/8", "https://a", "1h")
	f.Fuzz(func(t *testing.T, url, proxies, origins, ttl string) {
		c, err := FromEnv(env("REDIS_URL", url, "TRUSTED_PROXIES", proxies, "ALLOWED_ORIGINS", origins, "SESSION_TTL", ttl))
		if err == nil && c.SessionTTL <= 0 {
			t.Errorf("SESSION_TTL=%q gave %v", ttl, c.SessionTTL)
		}
	})
}
