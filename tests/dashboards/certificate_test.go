package dashboards

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baton/tests/harness"
)

// The real front door with TLS on and a certificate for one more day. `for` is seconds instead of an hour.
func TestCertificateExpiresSoon(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Traefik and Prometheus")
	}
	t.Parallel()
	traefik, err := exec.LookPath("traefik")
	if err != nil {
		harness.Skip(t, "traefik is not installed")
	}
	dir, rules := t.TempDir(), t.TempDir()
	metrics := fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))
	rewrite(t, "../../docker/traefik/traefik.yml", filepath.Join(dir, "traefik.yml"),
		`":80"`, fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t)), `":8082"`, metrics,
		"/etc/traefik/dynamic", filepath.Join(dir, "dynamic"),
		"  # websecure:\n  #   address: \":443\"\n", fmt.Sprintf("  websecure:\n    address: 127.0.0.1:%d\n    http: {tls: {}}\n", harness.FreePort(t)))
	writeCertificate(t, dir, 24*time.Hour)
	rewrite(t, filepath.Join(rulesFolder, "alerts.yml"), filepath.Join(rules, "alerts.yml"), "for: 1h", "for: 5s")
	harness.Run(t, harness.Command{Path: traefik, Args: []string{"--configFile=" + filepath.Join(dir, "traefik.yml")}, Env: os.Environ()})
	p := startPrometheus(t, map[string][]string{"traefik": {metrics}}, rules)
	harness.Eventually(t, firesWithin, "CertificateExpiresSoon fires", func() bool {
		time.Sleep(askEvery)
		for _, a := range p.firing(t) {
			if a.Labels["alertname"] == "CertificateExpiresSoon" {
				return a.Labels["cn"] == "chat.example.org" && strings.Contains(a.Annotations["summary"], "23h")
			}
		}
		return false
	})
}

// writeCertificate puts a key and its own certificate where Traefik looks for what changes while it runs.
func writeCertificate(t *testing.T, dir string, ends time.Duration) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "chat.example.org"}, DNSNames: []string{"chat.example.org"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(ends),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{
		"cert.pem":         pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		"key.pem":          pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		"dynamic/cert.yml": fmt.Appendf(nil, "tls: {certificates: [{certFile: %s/cert.pem, keyFile: %s/key.pem}]}\n", dir, dir),
	}
	if err := os.MkdirAll(filepath.Join(dir, "dynamic"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
