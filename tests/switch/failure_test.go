package switchtest

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"baton/tests/harness"
)

// Builds that are broken, each in its own way. BATON is the real binary.
const (
	endsAtOnce     = `echo 'panic: the new build is broken' >&2; exit 1`
	neverReady     = `REDIS_URL=redis://127.0.0.1:1 exec BATON "$@"`
	cannotTalk     = `MESSAGE_RATE=1 exec BATON "$@"`
	forgetsSession = `REDIS_URL= exec BATON "$@"`
)

func TestNewColorDoesNotStart(t *testing.T) {
	brokenBuild(t, endsAtOnce, "green did not start: the process green-1 has ended: panic: the new build is broken")
}

func TestNewColorNeverGetsReady(t *testing.T) {
	brokenBuild(t, neverReady, "green did not become ready within 4 s")
}

func TestNewColorFailsTheSmokeTest(t *testing.T) {
	brokenBuild(t, cannotTalk, "green failed the smoke test")
}

// brokenBuild fails before the switch: nobody may meet the new color at all.
func brokenBuild(t *testing.T, script, sentence string) {
	t.Helper()
	onBothStacks(t, false, func(t *testing.T, s *stack) {
		s.Up()
		load := s.soak()
		front := harness.StartWatch(t, s.Front())
		r := s.promote([]string{s.build("green", script)})
		s.mustBeBackOn("blue", r, sentence)
		front.MustHaveSeen(t, "the front door", "blue")
		load.Exact()
		s.mustPromote("green", nil)
	})
}

func TestNewColorBreaksSessions(t *testing.T) {
	onBothStacks(t, false, func(t *testing.T, s *stack) {
		s.Up()
		old := harness.StartWatch(t, s.Replica("blue-1"))
		r := s.promote([]string{s.build("green", forgetsSession)})
		s.mustBeBackOn("blue", r, "green broke the canary session (count 3 on blue)")
		old.MustHaveSeen(t, "blue", "blue")
		s.mustPromote("green", nil)
	})
}

func TestNewColorBreaksDuringTheBake(t *testing.T) {
	t.Run("its process ends", func(t *testing.T) {
		breaksAt(t, "bake", killColor("green"), "green broke during the bake: the process green-1 has ended")
	})
	t.Run("it hangs", func(t *testing.T) {
		stop := strings.Replace(killColor("green"), "-9", "-STOP", 1)
		breaksAt(t, "bake", stop, "green broke during the bake", "--retire-timeout", "2", "--bake", "20")
	})
}

func TestNewColorDiesDuringTheSwitch(t *testing.T) {
	breaksAt(t, "switch", killColor("green"), "switched back to blue, green was retired")
}

// breaksAt breaks something behind the switch. Meanwhile some meet the broken
// color, but the old one never stops, and no message is lost.
func breaksAt(t *testing.T, step, command, sentence string, args ...string) {
	t.Helper()
	onBothStacks(t, false, func(t *testing.T, s *stack) {
		s.Up()
		load := s.soak()
		old := harness.StartWatch(t, s.Replica("blue-1"))
		r := s.promote(s.hook(step, command), args...)
		s.mustBeBackOn("blue", r, sentence)
		old.MustHaveSeen(t, "blue", "blue")
		load.Exact()
		s.mustPromote("green", nil)
	})
}

func TestFrontDoorDown(t *testing.T) {
	onBothStacks(t, false, func(t *testing.T, s *stack) {
		s.Up()
		load := s.soak()
		old := harness.StartWatch(t, s.Replica("blue-1"))
		s.Signal("front", syscall.SIGKILL)
		r := s.promote(nil)
		s.mustBeBackOn("blue", r, "does not answer: is it down? ('stack.sh up' starts it); nothing was changed")
		s.Up()
		old.MustHaveSeen(t, "blue", "blue")
		s.mustPromote("green", nil)
		load.Exact()
	})
}

func TestFrontDoorDiesDuringTheSwitch(t *testing.T) {
	onBothStacks(t, false, func(t *testing.T, s *stack) {
		s.Up()
		load := s.soak()
		r := s.promote(s.hook("switch", killFront))
		if r.Code != 4 || !strings.Contains(r.Text, "the dynamic file says blue again, but the front door") || !strings.Contains(r.Text, "does not answer") {
			t.Errorf("exit %d, want 4 and how things stand\n%s", r.Code, r.Text)
		}
		s.Up()
		s.mustPromote("green", nil)
		load.Exact()
	})
}

func TestRedisAway(t *testing.T) {
	onBothStacks(t, false, func(t *testing.T, s *stack) {
		s.Up()
		load := s.soak()
		front := harness.StartWatch(t, s.Front())
		s.Signal("store", syscall.SIGSTOP)
		r := s.promote([]string{"BATON_READY_TIMEOUT=2"})
		s.Signal("store", syscall.SIGCONT)
		s.mustBeBackOn("blue", r, "green did not become ready within 2 s")
		if !strings.Contains(r.Text, "redis") {
			t.Errorf("redis is not named\n%s", r.Text)
		}
		front.MustHaveSeen(t, "the front door", "blue")
		load.Exact()
	})
}

func TestDiskFull(t *testing.T) {
	noRoomForTheSwitch(t, func(s *stack, dir string) {
		filler, err := os.Create(filepath.Join(dir, "filler"))
		if err != nil {
			s.t.Fatal(err)
		}
		defer filler.Close()
		block := make([]byte, 4096)
		for {
			if _, err := filler.Write(block); err != nil {
				return
			}
		}
	})
}

func TestReadOnlyDynamicFolder(t *testing.T) {
	noRoomForTheSwitch(t, func(s *stack, dir string) {
		if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			s.t.Fatal(err)
		}
	})
}

// noRoomForTheSwitch gives the dynamic file a small disk of its own and spoils it.
func noRoomForTheSwitch(t *testing.T, spoil func(s *stack, dir string)) {
	t.Helper()
	onBothStacks(t, false, func(t *testing.T, s *stack) {
		dir := filepath.Join(s.Run, "local", "dynamic")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=32k"); err != nil {
			harness.Skip(t, "no right to mount a small disk")
		}
		t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
		s.Up()
		load := s.soak()
		front := harness.StartWatch(t, s.Front())
		spoil(s, dir)
		r := s.promote(nil)
		s.mustBeBackOn("blue", r, "is the disk full, or the folder read-only?; nothing was changed")
		front.MustHaveSeen(t, "the front door", "blue")
		load.Exact()
	})
}

// mustBeBackOn is what a failure before the retirement ends in: exit code 1, the
// sentence, the old color active and the new one gone.
func (s *stack) mustBeBackOn(color string, r harness.Result, sentence string) {
	s.t.Helper()
	if r.Code != 1 || !strings.Contains(r.Text, sentence) {
		s.t.Errorf("exit %d, want 1 and %q\n%s", r.Code, sentence, r.Text)
	}
	if s.Active() != color || len(s.Pids(color+"-")) == 0 {
		s.t.Errorf("%s is active, %v run; want %s", s.Active(), s.Pids(""), color)
	}
	if other := s.Pids(map[string]string{"blue": "green-", "green": "blue-"}[color]); len(other) != 0 {
		s.t.Errorf("the failed color still runs: %v", other)
	}
	if _, err := os.Stat(filepath.Join(s.Run, "local", "promote.journal")); err == nil {
		s.t.Error("the journal still says that a promote is under way")
	}
}
