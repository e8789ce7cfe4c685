package harness

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Issuer is who a server under test trusts to sign JSON Web Tokens.
type Issuer struct {
	t   testing.TB
	key ed25519.PrivateKey
}

// NewIssuer makes its key.
func NewIssuer(t testing.TB) Issuer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return Issuer{t, key}
}

// Env is the configuration of a server that asks for its tokens.
func (i Issuer) Env() Env {
	i.t.Helper()
	der, err := x509.MarshalPKIXPublicKey(i.key.Public())
	if err != nil {
		i.t.Fatal(err)
	}
	return Env{
		"JWT_KEYS": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), "JWT_ISSUER": "https://id.example",
		"JWT_AUDIENCE": "chat", "JWT_SESSION_CLAIM": "sid",
	}
}

// Token is for a session, "*" for any; one that lives for less than nothing has expired.
func (i Issuer) Token(session string, lives time.Duration) string {
	i.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: i.key}, nil)
	if err != nil {
		i.t.Fatal(err)
	}
	claims := map[string]any{"iss": "https://id.example", "aud": "chat", "exp": time.Now().Add(lives).Unix(), "sid": session}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		i.t.Fatal(err)
	}
	return text
}
