package switchtest

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"baton/tests/harness"
)

// TestKilledAtEachStep kills promote.sh in the middle of each step. The old
// color serves on, and the next run promotes, whatever it finds.
func TestKilledAtEachStep(t *testing.T) {
	onBothStacks(t, false, func(t *testing.T, s *stack) {
		s.Up()
		load := s.soak()
		front := harness.StartWatch(t, s.Front())
		color, other := "green", "blue"
		for _, step := range []string{"start", "ready", "smoke", "canary", "switch", "verify", "bake", "retire"} {
			r := s.promote(s.hook(step, killPromote))
			if r.Code != -1 {
				t.Fatalf("killed at %s: exit %d\n%s", step, r.Code, r.Text)
			}
			if r = s.mustPromote(color, nil); !strings.Contains(r.Text, "was stopped at its step '"+step+"'") {
				t.Errorf("the run after the kill at %s does not tell\n%s", step, r.Text)
			}
			if n := len(s.Pids(other + "-")); n != 0 {
				t.Errorf("killed at %s: %d processes of %s are left", step, n, other)
			}
			color, other = other, color
		}
		front.MustHaveSeen(t, "the front door", "blue", "green")
		load.Exact()
	})
}

func TestKilledBehindTheSwitchThenRolledBack(t *testing.T) {
	onBothStacks(t, false, func(t *testing.T, s *stack) {
		s.Up()
		load := s.soak()
		front := harness.StartWatch(t, s.Front())
		s.promote(s.hook("bake", killPromote))
		if s.Active() != "green" {
			t.Fatalf("%s is active", s.Active())
		}
		if r := s.Script("promote.sh", nil, "rollback"); r.Code != 0 || s.Active() != "blue" || len(s.Pids("green-")) != 0 {
			t.Errorf("rollback: %d, %s is active, %v run\n%s", r.Code, s.Active(), s.Pids(""), r.Text)
		}
		front.MustHaveSeen(t, "the front door", "blue", "green")
		load.Exact()
	})
}

func TestInterruptedDuringTheBake(t *testing.T) {
	onBothStacks(t, false, func(t *testing.T, s *stack) {
		s.Up()
		load := s.soak()
		for name, sig := range map[string]syscall.Signal{"SIGINT": syscall.SIGINT, "SIGTERM": syscall.SIGTERM} {
			p := s.Begin("promote.sh", nil, "--bake", "60")
			s.At("bake")
			p.Signal(sig)
			code := p.Exit(t, scriptLimit)
			s.mustBeBackOn("blue", harness.Result{Code: code, Text: p.Stdout() + p.Stderr()}, "stopped by "+name+"; switched back to blue")
		}
		load.Exact()
	})
}

// TestToldToStopAtEachStep: SIGTERM before the retirement rolls back; from
// there it is too late, and the promote ends as it would have.
func TestToldToStopAtEachStep(t *testing.T) {
	onBothStacks(t, false, func(t *testing.T, s *stack) {
		s.Up()
		load := s.soak()
		front := harness.StartWatch(t, s.Front())
		for _, step := range []string{"start", "ready", "smoke", "canary", "switch", "verify", "bake"} {
			s.mustBeBackOn("blue", s.promote(s.hook(step, stopPromote)), "stopped by SIGTERM")
		}
		if r := s.promote(s.hook("retire", stopPromote)); r.Code != 0 || s.Active() != "green" || len(s.Pids("blue-")) != 0 {
			t.Errorf("at retire: exit %d, %s is active\n%s", r.Code, s.Active(), r.Text)
		}
		front.MustHaveSeen(t, "the front door", "blue", "green")
		load.Exact()
	})
}

// TestAPidOfSomebodyElse: after a crash of the machine a pid file may name a
// stranger. Neither a promote nor down may touch it.
func TestAPidOfSomebodyElse(t *testing.T) {
	onBothStacks(t, true, func(t *testing.T, s *stack) {
		s.Up()
		stranger := s.Begin("stack.sh", nil, "logs")
		file := filepath.Join(s.Run, "local", "pids", "green-1")
		s.write(file, strings.Join([]string{strconv.Itoa(stranger.Pid()), "12345"}, " ")+"\n")
		s.mustPromote("green", nil)
		s.write(filepath.Join(s.Run, "local", "pids", "blue-1"), strings.Join([]string{strconv.Itoa(stranger.Pid()), "12345"}, " ")+"\n")
		if r := s.Script("stack.sh", nil, "down"); r.Code != 0 {
			t.Errorf("down: %d\n%s", r.Code, r.Text)
		}
		if !stranger.Alive() {
			t.Error("a stranger was ended")
		}
		if _, err := os.Stat(file); err == nil {
			t.Error("down left a pid file")
		}
	})
}
