package wire

import (
	"strings"
	"testing"

	"baton/tests/harness"
)

// Redis over TLS is verified: with its authority known the sessions are stored, without it the process is not ready.
func TestRedisOverTLS(t *testing.T) {
	t.Parallel()
	cert, key := harness.SelfSigned(t)
	port := itoa(harness.FreePort(t))
	redis := harness.StartRedis(t, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key,
		"--tls-ca-cert-file", cert, "--tls-auth-clients", "no")
	url := "rediss://127.0.0.1:" + port + "/0"
	s := harness.Start(t, harness.Env{"REDIS_URL": url, "SSL_CERT_FILE": cert})
	p := s.Dial(harness.Handshake{Session: sessionA})
	p.Say("m")
	p.Count(1)
	if got := redis.Field(sessionA, "count"); got != "1" {
		t.Errorf("Redis holds %q", got)
	}
	stranger := harness.StartUnready(t, harness.Env{"REDIS_URL": url})
	harness.Eventually(t, waitFor, "the reason is told", func() bool {
		return strings.Contains(stranger.WaitNotReady(), "certificate not trusted")
	})
}
