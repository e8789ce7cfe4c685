package switchtest

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	"baton/tests/harness"
)

func TestPromoteThereAndBackUnderLoad(t *testing.T) {
	onBothStacks(t, true, func(t *testing.T, s *stack) {
		s.Set("GREEN_REPLICAS=2")
		s.Up()
		load := s.soak()
		front := harness.StartWatch(t, s.Front())
		s.mustPromote("green", nil)
		if n := len(s.Pids("green-")); n != 2 {
			t.Errorf("%d replicas of green run, want 2", n)
		}
		s.mustPromote("blue", nil)
		front.MustHaveSeen(t, "the front door", "blue", "green")
		load.Exact()
	})
}

func TestTheReport(t *testing.T) {
	onBothStacks(t, false, func(t *testing.T, s *stack) {
		s.Up()
		load := s.soak()
		p := s.Begin("promote.sh", nil, "--json", "--bake", "1")
		if code := p.Exit(t, scriptLimit); code != 0 {
			t.Fatalf("exit %d: %s", code, p.Stderr())
		}
		var report struct {
			Result, Active string
			SwitchMS       *int `json:"switch_ms"`
			Sessions       struct{ Before, Moved int }
			Canary         struct{ Before, After int }
			Retirement     struct {
				Done, Forced bool
				Closes       map[string]int
			}
			Steps []struct{ Name string }
		}
		if err := json.Unmarshal([]byte(p.Stdout()), &report); err != nil {
			t.Fatalf("%v: %s", err, p.Stdout())
		}
		if report.Result != "promoted" || report.Active != "green" || report.SwitchMS == nil || len(report.Steps) != 9 {
			t.Errorf("report: %s", p.Stdout())
		}
		if report.Sessions.Before != soakClients || report.Sessions.Moved != soakClients {
			t.Errorf("sessions %+v, want %d moved", report.Sessions, soakClients)
		}
		if report.Canary.Before != 3 || report.Canary.After != 4 {
			t.Errorf("canary %+v, want 3 and 4", report.Canary)
		}
		if !report.Retirement.Done || report.Retirement.Forced || len(report.Retirement.Closes) == 0 {
			t.Errorf("retirement %+v", report.Retirement)
		}
		load.Exact()
	})
}

func TestRollback(t *testing.T) {
	onBothStacks(t, false, func(t *testing.T, s *stack) {
		s.Up()
		load := s.soak()
		front := harness.StartWatch(t, s.Front())
		s.mustPromote("green", nil, "--no-retire")
		if len(s.Pids("blue-")) != 1 {
			t.Error("--no-retire retired blue")
		}
		blue := s.Pids("blue-")["blue-1"]
		if r := s.Script("promote.sh", nil, "rollback"); r.Code != 0 || s.Active() != "blue" {
			t.Errorf("rollback to a color that runs: %d, %s is active\n%s", r.Code, s.Active(), r.Text)
		}
		if s.Pids("blue-")["blue-1"] != blue || len(s.Pids("green-")) != 0 {
			t.Errorf("after the rollback run %v, want blue as it was (%d)", s.Pids(""), blue)
		}
		if r := s.Script("promote.sh", nil, "rollback"); r.Code != 0 || s.Active() != "green" {
			t.Errorf("rollback to a color that was stopped: %d, %s is active\n%s", r.Code, s.Active(), r.Text)
		}
		front.MustHaveSeen(t, "the front door", "blue", "green")
		load.Exact()
	})
}

func TestRollbackDuringABake(t *testing.T) {
	onBothStacks(t, false, func(t *testing.T, s *stack) {
		s.Up()
		load := s.soak()
		front := harness.StartWatch(t, s.Front())
		promote := s.Begin("promote.sh", nil, "--bake", "60")
		s.At("bake")
		if r := s.Script("promote.sh", nil, "rollback"); r.Code != 0 || !strings.Contains(r.Text, "blue is active") {
			t.Errorf("rollback: %d\n%s", r.Code, r.Text)
		}
		code := promote.Exit(t, scriptLimit)
		s.mustBeBackOn("blue", harness.Result{Code: code, Text: promote.Stdout() + promote.Stderr()}, "stopped by SIGTERM; switched back to blue, green was retired")
		front.MustHaveSeen(t, "the front door", "blue", "green")
		load.Exact()
	})
}

func TestTwoPromotesAtOnce(t *testing.T) {
	onBothStacks(t, false, func(t *testing.T, s *stack) {
		s.Up()
		load := s.soak()
		first := s.Begin("promote.sh", nil, "--bake", "3")
		s.At("bake")
		if r := s.promote(nil); r.Code != 3 || !strings.Contains(r.Text, "another promote holds the lock") {
			t.Errorf("the second: %d\n%s", r.Code, r.Text)
		}
		if code := first.Exit(t, scriptLimit); code != 0 || s.Active() != "green" {
			t.Errorf("the first: %d, %s is active", code, s.Active())
		}
		load.Exact()
	})
}

// TestUpMendsWhatDied: a local stack restarts nothing by itself; up does.
func TestUpMendsWhatDied(t *testing.T) {
	onBothStacks(t, false, func(t *testing.T, s *stack) {
		s.Set("BLUE_REPLICAS=2")
		s.Up()
		load := s.soak()
		before := s.Pids("")
		s.Signal("blue-2", syscall.SIGKILL)
		s.Up()
		after := s.Pids("")
		if len(after) != len(before) || after["blue-2"] == before["blue-2"] || after["blue-1"] != before["blue-1"] {
			t.Errorf("before %v, after %v", before, after)
		}
		load.Exact()
	})
}

// mustPromote promotes the idle color, which has to be this one.
func (s *stack) mustPromote(color string, env []string, args ...string) harness.Result {
	s.t.Helper()
	r := s.promote(env, args...)
	if r.Code != 0 || s.Active() != color {
		s.t.Fatalf("promote %s: exit %d, %s is active\n%s", color, r.Code, s.Active(), r.Text)
	}
	return r
}
