package switchtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"baton/client"
	"baton/tests/harness"
)

// TestTLSEndToEnd turns HTTPS on in the stack's own configuration, as docs/security.md says, with a certificate in a
// file: wss:// to the real Traefik, and rediss:// from the color to Redis.
func TestTLSEndToEnd(t *testing.T) {
	t.Parallel()
	traefik, err := exec.LookPath("traefik")
	if err != nil {
		harness.Skip(t, "traefik is not installed")
	}
	cert, key := harness.SelfSigned(t)
	redisPort := harness.FreePort(t)
	harness.StartRedis(t, "--tls-port", strconv.Itoa(redisPort), "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", "no")
	color := harness.Start(t, harness.Env{"REDIS_URL": fmt.Sprintf("rediss://127.0.0.1:%d/0", redisPort), "SSL_CERT_FILE": cert})

	secure, dir := harness.FreePort(t), t.TempDir()
	static := staticWithTLS(t, secure, filepath.Join(dir, "dynamic"))
	dynamic := strings.NewReplacer("{{ACTIVE}}", "blue", "{{ADMIN_CIDRS}}", `"192.0.2.0/24"`,
		"{{BLUE_SERVERS}}", `[{url: "http://`+color.Addr+`"}]`, "{{GREEN_SERVERS}}", "[]").Replace(file(t, "../../docker/traefik/dynamic.yml.tmpl"))
	for name, text := range map[string]string{
		"traefik.yml": static, "dynamic/baton.yml": dynamic,
		"dynamic/tls.yml": fmt.Sprintf("tls:\n  certificates:\n    - {certFile: %q, keyFile: %q}\n", cert, key),
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	harness.Run(t, harness.Command{Path: traefik, Args: []string{"--configFile=" + filepath.Join(dir, "traefik.yml")}})

	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM([]byte(file(t, cert)))
	base := fmt.Sprintf("https://127.0.0.1:%d", secure)
	door := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}}
	harness.Eventually(t, waitLimit, "the front door serves HTTPS with the certificate of the file", func() bool {
		response, err := door.Get(base + "/readyz")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	c, err := client.Dial(ctx, client.Config{URL: strings.Replace(base, "https", "wss", 1) + "/ws/chat/", TLS: &tls.Config{RootCAs: trusted}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	if _, err := c.Send(ctx, "m"); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(ctx); err != nil {
		t.Errorf("the message is not counted: %v", err)
	}
	if response, err := door.Get(base + "/metrics"); err != nil || response.StatusCode != http.StatusForbidden {
		t.Errorf("/metrics over HTTPS: %v %v, want 403", response, err)
	}
	if _, err := http.Get(base + "/readyz"); err == nil {
		t.Error("a client that does not know the authority is served")
	}
}

// staticWithTLS is docker/traefik/traefik.yml with its websecure uncommented; the certificate comes from a file.
func staticWithTLS(t *testing.T, secure int, dynamic string) string {
	t.Helper()
	text := file(t, "../../docker/traefik/traefik.yml")
	from, to := strings.Index(text, "  # websecure:"), strings.Index(text, "\n# certificatesResolvers:")
	if from < 0 || to < from {
		t.Fatal("docker/traefik/traefik.yml has no websecure to uncomment")
	}
	block := regexp.MustCompile(`(?m)^  # `).ReplaceAllString(text[from:to], "  ")
	block = regexp.MustCompile(`(?m)^ +(certResolver:.*|domains:|- main:.*)\n`).ReplaceAllString(block, "")
	text = text[:from] + strings.Replace(block, "tls:", "tls: {}", 1) + text[to:]
	for old, replaced := range map[string]string{
		`":80"`: fmt.Sprintf(`"127.0.0.1:%d"`, harness.FreePort(t)), `":8082"`: fmt.Sprintf(`"127.0.0.1:%d"`, harness.FreePort(t)),
		`":443"`: fmt.Sprintf(`"127.0.0.1:%d"`, secure), "/etc/traefik/dynamic": dynamic,
	} {
		text = strings.ReplaceAll(text, old, replaced)
	}
	return text
}

func file(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
