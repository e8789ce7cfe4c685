package wire

import (
	"strings"
	"testing"
	"time"

	"baton/tests/harness"
)

func bearer(token string) []string { return []string{"Authorization: Bearer " + token} }

func TestAHandshakeNeedsATokenWhereOneIsAskedFor(t *testing.T) {
	t.Parallel()
	own := harness.NewIssuer(t)
	s := harness.Start(t, own.Env())
	good, any, old := own.Token(sessionA, time.Hour), own.Token("*", time.Hour), own.Token(sessionA, -time.Hour)
	stranger := harness.NewIssuer(t).Token(sessionA, time.Hour)
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
	own := harness.NewIssuer(t)
	s := harness.Start(t, own.Env())
	token := own.Token(sessionA, time.Hour)
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
	own := harness.NewIssuer(t)
	env := own.Env()
	env["MAX_CONNECTIONS"] = "1"
	s := harness.Start(t, env)
	p := s.Dial(harness.Handshake{Session: sessionA, Header: bearer(own.Token(sessionA, time.Hour))})
	if answer := s.Refused(harness.Handshake{Session: sessionA}); answer.ErrorCode(t) != "jwt_missing" {
		t.Errorf("full, and a stranger learns it: %s", answer.Body)
	}
	p.Say("m") // nobody took it over
	p.Count(1)
}

func TestJWTAndSignedIDsTogether(t *testing.T) {
	t.Parallel()
	own := harness.NewIssuer(t)
	env := own.Env()
	env["SESSION_KEYS"] = keyA
	s := harness.Start(t, env)
	first := s.Dial(harness.Handshake{Header: bearer(own.Token(sessionA, time.Hour))})
	if !strings.HasPrefix(first.Session, sessionA+".") {
		t.Fatalf("session %q", first.Session)
	}
	s.Dial(harness.Handshake{Session: first.Session, Header: bearer(own.Token(sessionA, time.Hour))})
	if answer := s.Refused(harness.Handshake{Session: first.Session, Header: bearer(own.Token(sessionB, time.Hour))}); answer.Status != 403 {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
	if answer := s.Refused(harness.Handshake{Session: sessionA, Header: bearer(own.Token(sessionA, time.Hour))}); answer.Status != 401 {
		t.Errorf("an unsigned id: %d %s", answer.Status, answer.Body)
	}
}

func TestSmokeAndSoakShowAToken(t *testing.T) {
	t.Parallel()
	own := harness.NewIssuer(t)
	s := harness.Start(t, own.Env())
	url := "ws://" + s.Addr + "/ws/chat/"
	for _, args := range [][]string{{"smoke", "--url", url}, {"soak", "--url", url, "--clients", "5", "--duration", "300ms", "--quiet"}} {
		p := run(t, map[string]string{"BATON_TOKEN": own.Token("*", time.Hour)}, args...)
		if code := p.Exit(t, waitFor); code != 0 {
			t.Errorf("%s: exit code %d: %s%s", args[0], code, p.Stdout(), p.Stderr())
		}
	}
	p := run(t, nil, "smoke", "--url", url)
	if code := p.Exit(t, waitFor); code != 1 || !strings.Contains(p.Stderr(), "jwt_missing") {
		t.Errorf("without a token: %d %s", code, p.Stderr())
	}
}
