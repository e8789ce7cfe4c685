package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const scriptWithin = 3 * time.Minute // on a machine with too much to do

// Stack is a local stack in a run directory of its own, started, promoted and ended by the real scripts.
type Stack struct {
	Run string // the directory
	t   testing.TB
	env []string
	url string
}

// Result is what a script's run came to.
type Result struct {
	Code int
	Text string
}

// NewStack makes the directory; starting is up to the test, the end is not. Later settings win.
func NewStack(t testing.TB, env ...string) *Stack {
	t.Helper()
	s := &Stack{t: t, Run: t.TempDir()}
	port := FreePort(t)
	s.url = fmt.Sprintf("http://127.0.0.1:%d", port)
	s.env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "BATON_BIN=" + Binary(t), "BATON_RUN_DIR=" + s.Run,
		"BATON_ENV_FILE=" + filepath.Join(s.Run, "none"), "HTTP_PORT=" + strconv.Itoa(port),
	}, env...)
	t.Cleanup(s.Down)
	return s
}

// Set adds settings for the scripts that are run from now on.
func (s *Stack) Set(env ...string) { s.env = append(s.env, env...) }

// Begin starts one of the scripts.
func (s *Stack) Begin(name string, env []string, args ...string) *Process {
	s.t.Helper()
	args = append([]string{filepath.Join(root(), "scripts", name)}, append(args, "--driver", "local")...)
	return Run(s.t, Command{Path: "/bin/bash", Args: args, Env: append(append([]string{}, s.env...), env...)})
}

// Script runs one of the scripts to its end.
func (s *Stack) Script(name string, env []string, args ...string) Result {
	s.t.Helper()
	p := s.Begin(name, env, args...)
	code := p.Exit(s.t, scriptWithin)
	return Result{Code: code, Text: p.Stdout() + p.Stderr()}
}

// Up starts what of the stack does not run.
func (s *Stack) Up(env ...string) {
	s.t.Helper()
	if r := s.Script("stack.sh", env, "up"); r.Code != 0 {
		s.t.Fatalf("up: %d\n%s", r.Code, r.Text)
	}
}

// Down ends the stack, and nothing may be left of it.
func (s *Stack) Down() {
	pids := s.Pids("")
	for name := range pids {
		s.Signal(name, syscall.SIGCONT)
	}
	if r := s.Script("stack.sh", nil, "down"); r.Code != 0 {
		s.t.Errorf("down: %d\n%s", r.Code, r.Text)
	}
	for name, pid := range pids {
		if Running(pid) {
			s.t.Errorf("down left %s (%d)", name, pid)
		}
	}
}

// Pids are those of the stack's processes whose name begins with prefix, by their names.
func (s *Stack) Pids(prefix string) map[string]int {
	files, err := filepath.Glob(filepath.Join(s.Run, "local", "pids", prefix+"*"))
	if err != nil {
		s.t.Fatal(err)
	}
	pids := map[string]int{}
	for _, file := range files {
		if content, err := os.ReadFile(file); err == nil {
			var pid int
			if _, err := fmt.Sscan(string(content), &pid); err == nil && Running(pid) {
				pids[filepath.Base(file)] = pid
			}
		}
	}
	return pids
}

// Signal sends one of the stack's processes a signal, if it lives.
func (s *Stack) Signal(name string, sig syscall.Signal) {
	if pid, found := s.Pids(name)[name]; found {
		_ = syscall.Kill(pid, sig)
	}
}

// Gone waits until one of the stack's processes has ended.
func (s *Stack) Gone(name string) {
	s.t.Helper()
	Eventually(s.t, scriptWithin, name+" has ended", func() bool { return len(s.Pids(name)) == 0 })
}

// At waits until the promote under way is at a step.
func (s *Stack) At(step string) {
	s.t.Helper()
	Eventually(s.t, scriptWithin, "the promote is at its step "+step, func() bool {
		journal, _ := os.ReadFile(filepath.Join(s.Run, "local", "promote.journal"))
		return strings.HasPrefix(string(journal), "step="+step+"\n")
	})
}

// Active is the color that the dynamic file says.
func (s *Stack) Active() string {
	s.t.Helper()
	content, err := os.ReadFile(filepath.Join(s.Run, "local", "dynamic", "baton.yml"))
	if err != nil {
		s.t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(content), "- name: ")
	color, _, _ := strings.Cut(after, "\n")
	return color
}

// Front is the front door's base URL.
func (s *Stack) Front() string { return s.url }

// Replica is the base URL of one replica.
func (s *Stack) Replica(name string) string {
	s.t.Helper()
	port, err := os.ReadFile(filepath.Join(s.Run, "local", "ports", name))
	if err != nil {
		s.t.Fatal(err)
	}
	return "http://127.0.0.1:" + strings.TrimSpace(string(port))
}

// Running tells whether a process lives; a zombie does not.
func Running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
