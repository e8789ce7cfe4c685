package switchtest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton/tests/harness"
)

func TestUpWithThePortTaken(t *testing.T) {
	onBothStacks(t, true, func(t *testing.T, s *stack) {
		taken, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		r := s.script("stack.sh", nil, "up")
		if r.code != 1 || !strings.Contains(r.text, fmt.Sprintf("port %d is in use: set HTTP_PORT to another one", s.port)) {
			t.Errorf("exit %d\n%s", r.code, r.text)
		}
		if left := s.pids(""); len(left) != 0 {
			t.Errorf("what failed to come up left %v", left)
		}
		_ = taken.Close()
		s.up()
	})
}

func TestUpDuringAPromote(t *testing.T) {
	onBothStacks(t, false, func(t *testing.T, s *stack) {
		s.up()
		promote := s.begin("promote.sh", nil, "--bake", "5")
		s.at("bake")
		for _, command := range []string{"up", "down"} {
			if r := s.script("stack.sh", nil, command); r.code != 1 || !strings.Contains(r.text, "a promote is under way") {
				t.Errorf("%s: %d\n%s", command, r.code, r.text)
			}
		}
		if code := promote.Exit(t, scriptLimit); code != 0 || s.active() != "green" {
			t.Errorf("the promote: %d, %s is active", code, s.active())
		}
	})
}

func TestNoStackRuns(t *testing.T) {
	onBothStacks(t, true, func(t *testing.T, s *stack) {
		for command, want := range map[string]int{"stack.sh status": 1, "stack.sh logs": 1, "stack.sh down": 0, "promote.sh status": 1, "promote.sh promote": 1, "promote.sh rollback": 1, "promote.sh --dry-run": 1} {
			name, argument, _ := strings.Cut(command, " ")
			if r := s.script(name, nil, argument); r.code != want {
				t.Errorf("%s: exit %d, want %d\n%s", command, r.code, want, r.text)
			}
		}
	})
}

// TestUpDoesNotGuess: what somebody wrote into the dynamic file by hand is not
// taken for "no color yet".
func TestUpDoesNotGuess(t *testing.T) {
	onBothStacks(t, true, func(t *testing.T, s *stack) {
		s.up()
		file := filepath.Join(s.run, "local", "dynamic", "baton.yml")
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		edited := strings.Replace(string(content), "- name: blue", "- name: purple", 1)
		s.write(file, edited)
		r := s.script("stack.sh", nil, "up")
		if r.code != 1 || !strings.Contains(r.text, "does not name one active color") {
			t.Errorf("exit %d\n%s", r.code, r.text)
		}
		if now, err := os.ReadFile(file); err != nil || string(now) != edited {
			t.Errorf("the file was written over: %v", err)
		}
		if len(s.pids("blue-")) != 1 {
			t.Error("what served was ended")
		}
	})
}

// TestAPathWithBlanks runs the whole of it there.
func TestAPathWithBlanks(t *testing.T) {
	onBothStacks(t, true, func(t *testing.T, s *stack) {
		s.run = filepath.Join(s.run, "a path with blanks")
		if err := os.MkdirAll(s.run, 0o755); err != nil {
			t.Fatal(err)
		}
		s.env = append(s.env, "BATON_RUN_DIR="+s.run, "BATON_BIN="+harness.Binary(t))
		s.up()
		s.mustPromote("green", nil)
	})
}
