package failover

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"baton/tests/harness"
)

const (
	redisPassword    = "the-password-of-redis"
	sentinelPassword = "the-password-of-sentinel"
	answerWithin     = 20 * time.Second
)

func TestTLSAndPasswordsWithSentinel(t *testing.T) {
	t.Parallel()
	cert, key := harness.SelfSigned(t)
	port := harness.FreePort(t)
	harness.StartRedis(t, append(overTLS(port, cert, key), "--requirepass", redisPassword)...)
	door := startSecuredSentinel(t, port, cert, key)
	url := func(redis, sentinel string) string {
		return fmt.Sprintf("rediss+sentinel://:%s@127.0.0.1:%d/mymaster/0?sentinel_password=%s", redis, door, sentinel)
	}
	counts(t, url(redisPassword, sentinelPassword), cert)
	for name, wrong := range map[string]string{
		"Redis's": url("another", sentinelPassword), "the Sentinel's": url(redisPassword, "another"),
	} {
		s := harness.StartUnready(t, harness.Env{"REDIS_URL": wrong, "SSL_CERT_FILE": cert})
		if status := s.Get("/readyz").Status; status != 503 {
			t.Errorf("with another password for %s: /readyz answers %d", name, status)
		}
		neitherIsLogged(t, s)
	}
}

func TestTLSAndAPasswordWithACluster(t *testing.T) {
	t.Parallel()
	cert, key := harness.SelfSigned(t)
	port, bus := harness.FreePort(t), harness.FreePort(t)
	node := harness.StartRedis(t, append(overTLS(port, cert, key),
		"--cluster-enabled", "yes", "--tls-cluster", "yes", "--cluster-announce-ip", "127.0.0.1", "--cluster-port", strconv.Itoa(bus))...)
	node.Do("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	harness.Eventually(t, answerWithin, "the cluster serves", func() bool { return strings.Contains(node.Do("CLUSTER", "INFO"), "cluster_state:ok") })
	node.Do("CONFIG", "SET", "requirepass", redisPassword)
	counts(t, fmt.Sprintf("rediss+cluster://:%s@127.0.0.1:%d", redisPassword, port), cert)
}

func overTLS(port int, cert, key string) []string {
	return []string{
		"--tls-port", strconv.Itoa(port), "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", "no",
	}
}

// startSecuredSentinel watches the Redis at a port of TLS, and says where it is to those who have its password.
func startSecuredSentinel(t *testing.T, redis int, cert, key string) int {
	t.Helper()
	port, dir := harness.FreePort(t), t.TempDir()
	file := filepath.Join(dir, "sentinel.conf")
	text := fmt.Sprintf(`bind 127.0.0.1
port 0
tls-port %d
tls-cert-file %s
tls-key-file %s
tls-ca-cert-file %[2]s
tls-auth-clients no
tls-replication yes
requirepass %[4]s
dir %[5]s
sentinel monitor mymaster 127.0.0.1 %[6]d 1
sentinel auth-pass mymaster %[7]s
`, port, cert, key, sentinelPassword, dir, redis, redisPassword)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := exec.LookPath("redis-server")
	if err != nil {
		harness.Skip(t, "redis-server is not installed")
	}
	harness.Run(t, harness.Command{Path: path, Args: []string{file, "--sentinel"}, Env: os.Environ(), Dir: dir})
	return port
}

// counts has a service with this Redis count one message, and say nothing of how it logs in.
func counts(t *testing.T, url, cert string) {
	t.Helper()
	s := harness.Start(t, harness.Env{"REDIS_URL": url, "SSL_CERT_FILE": cert})
	harness.Eventually(t, answerWithin, "the service is ready", func() bool { return s.Get("/readyz").Status == 200 })
	p := s.Dial(harness.Handshake{})
	p.Say("m")
	p.Count(1)
	neitherIsLogged(t, s)
}

func neitherIsLogged(t *testing.T, s *harness.Server) {
	t.Helper()
	for _, secret := range []string{redisPassword, sentinelPassword} {
		if strings.Contains(s.Stdout()+s.Stderr(), secret) {
			t.Error("the log shows a password")
		}
	}
}
