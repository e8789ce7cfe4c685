package switchtest

import (
	"strings"
	"testing"
	"time"

	"baton/tests/harness"
)

// Where handshakes need a token and session ids are signed, promote's own sessions need both.
func TestPromoteWhereHandshakesNeedATokenAndIDsAreSigned(t *testing.T) {
	onBothStacks(t, false, func(t *testing.T, s *stack) {
		own := harness.NewIssuer(t)
		for name, value := range own.Env() {
			s.Set(name + "=" + value)
		}
		s.Set("SESSION_KEYS=" + strings.Repeat("k", 32))
		s.Up()
		if r := s.promote(nil); r.Code == 0 || !strings.Contains(r.Text, "jwt_missing") {
			t.Errorf("without a token: exit %d: %s", r.Code, r.Text)
		}
		if active := s.Active(); active != "blue" {
			t.Fatalf("%s is active after a promote without a token", active)
		}
		token := own.Token("*", time.Hour)
		s.mustPromote("green", []string{"BATON_TOKEN=" + token})
		r := s.promote([]string{"BATON_TOKEN=" + token})
		if said := r.Text; r.Code != 0 || strings.Contains(said, token) || !strings.Contains(said, "count 3 on green, 4 on blue") {
			t.Errorf("exit %d: %s", r.Code, said)
		}
	})
}
