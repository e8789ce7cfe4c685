package wire

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"baton/tests/harness"
)

// Redis over TLS is verified: with its authority known the sessions are stored, without it the process is not ready.
func TestRedisOverTLS(t *testing.T) {
	t.Parallel()
	cert, key := selfSigned(t)
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
	stranger.WaitNotReady()
}

func selfSigned(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, "CERTIFICATE", cert), writePEM(t, "PRIVATE KEY", key)
}

func writePEM(t *testing.T, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
