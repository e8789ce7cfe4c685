package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func jwks(t *testing.T, keys ...jose.JSONWebKey) string {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestJWTKeys(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, _ := x509.MarshalPKIXPublicKey(private.Public())
	secretDER, _ := x509.MarshalPKCS8PrivateKey(private)
	public := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	secret := func(bytes int) string {
		return `{"keys":[{"kty":"oct","k":"` + base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("s", bytes))) + `"}]}`
	}
	for name, tc := range map[string]struct{ keys, algorithms, problem string }{
		"PEM":                    {public, "", ""},
		"two in PEM":             {public + "\n" + public, "", ""},
		"a JWK Set":              {jwks(t, jose.JSONWebKey{Key: private.Public(), KeyID: "1", Use: "sig"}), "ES256", ""},
		"a shared secret":        {secret(32), "HS256", ""},
		"a short secret":         {secret(31), "HS256", "32 bytes"},
		"a secret, not HS256":    {secret(32), "", "JWT_ALGORITHMS"},
		"a curve, only for RSA":  {public, "RS256", "JWT_ALGORITHMS"},
		"a private key in PEM":   {string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secretDER})), "", "PUBLIC KEY"},
		"a private key as a JWK": {jwks(t, jose.JSONWebKey{Key: private}), "", "private"},
		"for encryption":         {jwks(t, jose.JSONWebKey{Key: private.Public(), Use: "enc"}), "", "signatures"},
		"no keys":                {`{"keys":[]}`, "", "1 to 16"},
		"nonsense behind":        {public + "nonsense", "", "nothing else"},
		"nonsense":               {"nonsense", "", "PEM"},
		"none":                   {public, "none", "not one of"},
	} {
		c, err := FromEnv(env("JWT_KEYS", tc.keys, "JWT_ALGORITHMS", tc.algorithms, "JWT_ISSUER", "i", "JWT_AUDIENCE", "a"))
		if tc.problem == "" && (err != nil || len(c.JWT.Keys) == 0) || tc.problem != "" && (err == nil || !strings.Contains(err.Error(), tc.problem)) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "BEGIN") {
			t.Errorf("%s: the error shows the key", name)
		}
	}
	for _, half := range [][]string{{"JWT_KEYS", public}, {"JWT_KEYS", public, "JWT_ISSUER", "i"}, {"JWT_AUDIENCE", "a"}, {"JWT_SESSION_CLAIM", "sid"}} {
		if _, err := FromEnv(env(half...)); err == nil {
			t.Errorf("half of a check was taken: %v", half[0])
		}
	}
}

// FuzzJWTKeys: whatever it is, it is a list of keys that can verify, or an error.
func FuzzJWTKeys(f *testing.F) {
	f.Add(`{"keys":[{"kty":"oct","k":"c3NzcQ"}]}`)
	f.Add(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`)
	f.Add("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n")
	f.Fuzz(func(t *testing.T, text string) {
		var keys []jose.JSONWebKey
		if err := jwtKeys(&keys, text); err != nil || text == "" {
			return
		}
		for _, key := range keys {
			if _, shared := key.Key.([]byte); !shared && !key.IsPublic() {
				t.Errorf("%T was taken", key.Key)
			}
		}
	})
}
