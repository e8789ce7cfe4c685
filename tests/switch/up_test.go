package switchtest

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton/tests/harness"
)

func TestUpWithThePortTaken(t *testing.T) {
	onBothStacks(t, true, func(t *testing.T, s *stack) {
		address := strings.TrimPrefix(s.Front(), "http://")
		_, port, _ := strings.Cut(address, ":")
		taken, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		r := s.Script("stack.sh", nil, "up")
		if r.Code != 1 || !strings.Contains(r.Text, "port "+port+" is in use: set HTTP_PORT to another one") {
			t.Errorf("exit %d\n%s", r.Code, r.Text)
		}
		if left := s.Pids(""); len(left) != 0 {
			t.Errorf("what failed to come up left %v", left)
		}
		_ = taken.Close()
		s.Up()
	})
}

func TestUpDuringAPromote(t *testing.T) {
	onBothStacks(t, false, func(t *testing.T, s *stack) {
		s.Up()
		promote := s.Begin("promote.sh", nil, "--bake", "5")
		s.At("bake")
		for _, command := range []string{"up", "down"} {
			if r := s.Script("stack.sh", nil, command); r.Code != 1 || !strings.Contains(r.Text, "a promote is under way") {
				t.Errorf("%s: %d\n%s", command, r.Code, r.Text)
			}
		}
		if code := promote.Exit(t, scriptLimit); code != 0 || s.Active() != "green" {
			t.Errorf("the promote: %d, %s is active", code, s.Active())
		}
	})
}

func TestNoStackRuns(t *testing.T) {
	onBothStacks(t, true, func(t *testing.T, s *stack) {
		for command, want := range map[string]int{"stack.sh status": 1, "stack.sh logs": 1, "stack.sh down": 0, "promote.sh status": 1, "promote.sh promote": 1, "promote.sh rollback": 1, "promote.sh --dry-run": 1} {
			name, argument, _ := strings.Cut(command, " ")
			if r := s.Script(name, nil, argument); r.Code != want {
				t.Errorf("%s: exit %d, want %d\n%s", command, r.Code, want, r.Text)
			}
		}
	})
}

// TestUpDoesNotGuess: what somebody wrote into the dynamic file by hand is not
// taken for "no color yet".
func TestUpDoesNotGuess(t *testing.T) {
	onBothStacks(t, true, func(t *testing.T, s *stack) {
		s.Up()
		file := filepath.Join(s.Run, "local", "dynamic", "baton.yml")
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		edited := strings.Replace(string(content), "- name: blue", "- name: purple", 1)
		s.write(file, edited)
		r := s.Script("stack.sh", nil, "up")
		if r.Code != 1 || !strings.Contains(r.Text, "does not name one active color") {
			t.Errorf("exit %d\n%s", r.Code, r.Text)
		}
		if now, err := os.ReadFile(file); err != nil || string(now) != edited {
			t.Errorf("the file was written over: %v", err)
		}
		if len(s.Pids("blue-")) != 1 {
			t.Error("what served was ended")
		}
	})
}

// TestAPathWithBlanks runs the whole of it there.
func TestAPathWithBlanks(t *testing.T) {
	onBothStacks(t, true, func(t *testing.T, s *stack) {
		s.Run = filepath.Join(s.Run, "a path with blanks")
		if err := os.MkdirAll(s.Run, 0o755); err != nil {
			t.Fatal(err)
		}
		s.Set("BATON_RUN_DIR="+s.Run, "BATON_BIN="+harness.Binary(t))
		s.Up()
		s.mustPromote("green", nil)
	})
}
