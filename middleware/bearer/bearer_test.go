package bearer

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

type claims map[string]any

// with is a copy with one claim changed, or without it where value is nil.
func (c claims) with(name string, value any) claims {
	changed := claims{}
	for k, v := range c {
		changed[k] = v
	}
	changed[name] = value
	if value == nil {
		delete(changed, name)
	}
	return changed
}

func sign(t testing.TB, algorithm jose.SignatureAlgorithm, key any, kid string, c claims) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(map[string]any(c)).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func unsigned(c string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + encode([]byte(c)) + "."
}

func TestOnlyTheIssuersTokensForThisServerPass(t *testing.T) {
	public, private, _ := ed25519.GenerateKey(rand.Reader)
	_, stranger, _ := ed25519.GenerateKey(rand.Reader)
	curve, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	now := time.Now()
	config := Config{
		Keys:       []jose.JSONWebKey{{Key: public, KeyID: "a"}, {Key: curve.Public()}},
		Algorithms: []jose.SignatureAlgorithm{jose.EdDSA, jose.ES256},
		Issuer:     "https://id.example", Audience: "chat", SessionClaim: "sid",
	}
	good := claims{"iss": "https://id.example", "aud": []string{"shop", "chat"}, "exp": now.Add(time.Minute).Unix(), "sid": "s"}
	eddsa := func(c claims) string { return sign(t, jose.EdDSA, private, "a", c) }
	for name, tc := range map[string]struct {
		token   string
		session string
		ok      bool
	}{
		"good":                      {eddsa(good), "s", true},
		"no kid":                    {sign(t, jose.EdDSA, private, "", good), "s", true},
		"another key":               {sign(t, jose.ES256, curve, "b", good), "s", true},
		"any session":               {eddsa(good.with("sid", AnySession)), "", true},
		"expired within the leeway": {eddsa(good.with("exp", now.Add(-leeway/2).Unix())), "s", true},
		"expired":                   {eddsa(good.with("exp", now.Add(-2*leeway).Unix())), "", false},
		"never expires":             {eddsa(good.with("exp", nil)), "", false},
		"not yet":                   {eddsa(good.with("nbf", now.Add(2*leeway).Unix())), "", false},
		"another issuer":            {eddsa(good.with("iss", "https://id.example.evil")), "", false},
		"no issuer":                 {eddsa(good.with("iss", nil)), "", false},
		"another audience":          {eddsa(good.with("aud", "shop")), "", false},
		"no audience":               {eddsa(good.with("aud", nil)), "", false},
		"no session":                {eddsa(good.with("sid", nil)), "", false},
		"a session that is no text": {eddsa(good.with("sid", 7)), "", false},
		"a stranger's key":          {sign(t, jose.EdDSA, stranger, "a", good), "", false},
		"another kid":               {sign(t, jose.EdDSA, private, "z", good), "", false},
		"alg none":                  {unsigned(`{"iss":"https://id.example","aud":"chat","exp":9999999999,"sid":"s"}`), "", false},
		// The public key is no secret: as the key of an HMAC it must not count.
		"HMAC with the public key": {sign(t, jose.HS256, append([]byte{}, public...), "a", good), "", false},
		"cut":                      {eddsa(good)[:90], "", false},
		"nothing":                  {"..", "", false},
	} {
		session, err := config.verify(tc.token, now)
		if (err == nil) != tc.ok || session != tc.session {
			t.Errorf("%s: session %q, %v", name, session, err)
		}
		if (name == "expired") != errors.Is(err, errExpired) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzVerify: nothing but what was signed passes, however close it is.
func FuzzVerify(f *testing.F) {
	public, private, _ := ed25519.GenerateKey(rand.Reader)
	now := time.Now()
	config := Config{Keys: []jose.JSONWebKey{{Key: public}}, Algorithms: []jose.SignatureAlgorithm{jose.EdDSA}, Issuer: "i", Audience: "a"}
	signed := sign(f, jose.EdDSA, private, "", claims{"iss": "i", "aud": "a", "exp": now.Add(24 * time.Hour).Unix()})
	f.Add(signed[:len(signed)-1])
	f.Add(signed + ".")
	f.Add(strings.Replace(signed, ".", ".e30.", 1))
	f.Add(unsigned(`{"iss":"i","aud":"a","exp":9999999999}`))
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := config.verify(text, now); err == nil && strings.TrimSpace(text) != signed {
			t.Errorf("%q passes", text)
		}
	})
}
