package wire

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"baton/tests/harness"
)

// issuer is who the server under test trusts.
type issuer struct {
	t   *testing.T
	key ed25519.PrivateKey
}

func newIssuer(t *testing.T) issuer {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return issuer{t, key}
}

func (i issuer) env() harness.Env {
	der, err := x509.MarshalPKIXPublicKey(i.key.Public())
	if err != nil {
		i.t.Fatal(err)
	}
	return harness.Env{
		"JWT_KEYS": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), "JWT_ISSUER": "https://id.example",
		"JWT_AUDIENCE": "chat", "JWT_SESSION_CLAIM": "sid",
	}
}

func (i issuer) token(session string, lives time.Duration) string {
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

func bearer(token string) []string { return []string{"Authorization: Bearer " + token} }

func TestAHandshakeNeedsATokenWhereOneIsAskedFor(t *testing.T) {
	t.Parallel()
	own := newIssuer(t)
	s := harness.Start(t, own.env())
	good, any, old := own.token(sessionA, time.Hour), own.token("*", time.Hour), own.token(sessionA, -time.Hour)
	stranger := newIssuer(t).token(sessionA, time.Hour)
	for name, row := range map[string]struct {
		harness.Handshake
		status int
		code   string
	}{
		"no token":          {harness.Handshake{Session: sessionA}, 401, "jwt_missing"},
		"another scheme":    {harness.Handshake{Header: []string{"Authorization: Basic " + good}}, 401, "jwt_missing"},
		"in the query":      {harness.Handshake{Query: "access_token=" + good}, 401, "jwt_missing"},
		"a stranger's":      {harness.Handshake{Header: bearer(stranger)}, 401, "jwt_invalid"},
		"empty":             {harness.Handshake{Header: []string{"Authorization: Bearer x"}}, 401, "jwt_invalid"},
		"expired":           {harness.Handshake{Header: bearer(old)}, 401, "jwt_expired"},
		"another's session": {harness.Handshake{Session: sessionB, Header: bearer(good)}, 403, "session_forbidden"},
	} {
		answer := s.Refused(row.Handshake)
		if answer.Status != row.status || answer.ErrorCode(t) != row.code {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
		if challenge := answer.Header.Get("WWW-Authenticate"); (answer.Status == 401) != strings.HasPrefix(challenge, "Bearer") {
			t.Errorf("%s: WWW-Authenticate %q", name, challenge)
		}
	}
	for code, want := range map[string]float64{"jwt_missing": 3, "jwt_invalid": 2, "jwt_expired": 1, "session_forbidden": 1} {
		if got := s.Metrics().Value("websocket_errors_total", "reason", code); got != want {
			t.Errorf("%s is counted %v times, want %v", code, got, want)
		}
	}
	p := s.Dial(harness.Handshake{Session: strings.ToUpper(sessionA), Header: bearer(good)})
	p.Say("m")
	p.Count(1)
	if named := s.Dial(harness.Handshake{Header: bearer(good), Sub: harness.V1}).Hello(); named["session_id"] != sessionA || named["count"] != 1.0 {
		t.Errorf("without a session_id the token's own is resumed, got %v", named)
	}
	s.Dial(harness.Handshake{Session: sessionB, Header: bearer(any)})
	if logs := s.Stdout() + s.Stderr(); strings.Contains(logs, good) || strings.Contains(logs, strings.Split(good, ".")[2]) {
		t.Error("the log shows a token")
	}
}

// A page can't set Authorization: it offers the token beside baton.v1, which is what the server selects.
func TestABrowserShowsItsTokenAsASubprotocol(t *testing.T) {
	t.Parallel()
	own := newIssuer(t)
	s := harness.Start(t, own.env())
	token := own.token(sessionA, time.Hour)
	peer, answer, err := harness.Handshake{Sub: "baton.v1, baton.jwt." + token}.Open(s.Addr)
	if err != nil || peer == nil {
		t.Fatalf("%v %v", answer, err)
	}
	defer peer.Close()
	if got := answer.Header.Get("Sec-WebSocket-Protocol"); got != harness.V1 {
		t.Errorf("selected %q", got)
	}
	if answer := s.Refused(harness.Handshake{Sub: "baton.v1, baton.jwt." + token[:len(token)-3]}); answer.ErrorCode(t) != "jwt_invalid" {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
}

// A stranger's handshakes take no slot and claim no session: whoever has a token is not kept out by those without.
func TestAStrangerTakesNoSlot(t *testing.T) {
	t.Parallel()
	own := newIssuer(t)
	env := own.env()
	env["MAX_CONNECTIONS"] = "1"
	s := harness.Start(t, env)
	p := s.Dial(harness.Handshake{Session: sessionA, Header: bearer(own.token(sessionA, time.Hour))})
	if answer := s.Refused(harness.Handshake{Session: sessionA}); answer.ErrorCode(t) != "jwt_missing" {
		t.Errorf("full, and a stranger learns it: %s", answer.Body)
	}
	p.Say("m") // nobody took it over
	p.Count(1)
}

func TestJWTAndSignedIDsTogether(t *testing.T) {
	t.Parallel()
	own := newIssuer(t)
	env := own.env()
	env["SESSION_KEYS"] = keyA
	s := harness.Start(t, env)
	first := s.Dial(harness.Handshake{Header: bearer(own.token(sessionA, time.Hour))})
	if !strings.HasPrefix(first.Session, sessionA+".") {
		t.Fatalf("session %q", first.Session)
	}
	s.Dial(harness.Handshake{Session: first.Session, Header: bearer(own.token(sessionA, time.Hour))})
	if answer := s.Refused(harness.Handshake{Session: first.Session, Header: bearer(own.token(sessionB, time.Hour))}); answer.Status != 403 {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
	if answer := s.Refused(harness.Handshake{Session: sessionA, Header: bearer(own.token(sessionA, time.Hour))}); answer.Status != 401 {
		t.Errorf("an unsigned id: %d %s", answer.Status, answer.Body)
	}
}

func TestSmokeAndSoakShowAToken(t *testing.T) {
	t.Parallel()
	own := newIssuer(t)
	s := harness.Start(t, own.env())
	url := "ws://" + s.Addr + "/ws/chat/"
	for _, args := range [][]string{{"smoke", "--url", url}, {"soak", "--url", url, "--clients", "5", "--duration", "300ms", "--quiet"}} {
		p := run(t, map[string]string{"BATON_TOKEN": own.token("*", time.Hour)}, args...)
		if code := p.Exit(t, waitFor); code != 0 {
			t.Errorf("%s: exit code %d: %s%s", args[0], code, p.Stdout(), p.Stderr())
		}
	}
	p := run(t, nil, "smoke", "--url", url)
	if code := p.Exit(t, waitFor); code != 1 || !strings.Contains(p.Stderr(), "jwt_missing") {
		t.Errorf("without a token: %d %s", code, p.Stderr())
	}
}
