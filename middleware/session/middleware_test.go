package session

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
)

func TestSessionIDs(t *testing.T) {
	const id = "3f2b8c1e-9d4a-4e6b-8f7a-1c2d3e4f5a6b"
	for _, tc := range []struct {
		given, format, want string
		ok                  bool
	}{
		{id, "uuid", id, true},
		{strings.ToUpper(id), "uuid", id, true},
		{"{" + id + "}", "uuid", "", false},
		{"urn:uuid:" + id, "uuid", "", false},
		{strings.ReplaceAll(id, "-", ""), "uuid", "", false},
		{id[:35], "uuid", "", false},
		{id[:35] + "g", "uuid", "", false},
		{"room_1-A", "uuid", "", false},
		{"room_1-A", "token", "room_1-A", true},
		{strings.Repeat("x", 64), "token", strings.Repeat("x", 64), true},
		{strings.Repeat("x", 65), "token", "", false},
		{"a b", "token", "", false},
		{"a}", "token", "", false},
		{"ä", "token", "", false},
	} {
		got, ok := parseID(tc.given, tc.format)
		if ok != tc.ok || ok && got != tc.want {
			t.Errorf("parseID(%q, %s) = %q, %v; want %q, %v", tc.given, tc.format, got, ok, tc.want, tc.ok)
		}
	}
}

func TestANewSessionGetsAVersion4UUID(t *testing.T) {
	for _, format := range []string{"uuid", "token"} {
		id, ok := parseID("", format)
		if parsed, err := uuid.Parse(id); !ok || err != nil || parsed.Version() != 4 {
			t.Errorf("%s: %q, %v", format, id, ok)
		}
	}
}

// FuzzSessionID: what is taken is of the one canonical spelling and can't leave
// its place in a Redis key.
func FuzzSessionID(f *testing.F) {
	f.Add("3F2B8C1E-9d4a-4e6b-8f7a-1c2d3e4f5a6b")
	f.Add("a-token_1")
	f.Add("}:{")
	canonical := map[string]*regexp.Regexp{
		"uuid":  regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`),
		"token": regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`),
	}
	f.Fuzz(func(t *testing.T, given string) {
		for format, pattern := range canonical {
			id, ok := parseID(given, format)
			if ok && !pattern.MatchString(id) {
				t.Errorf("%s took %q as %q", format, given, id)
			}
			if !ok && pattern.MatchString(given) {
				t.Errorf("%s refused %q", format, given)
			}
		}
	})
}
