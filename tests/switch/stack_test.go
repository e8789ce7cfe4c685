package switchtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"baton/tests/harness"
)

const (
	// scriptLimit bounds one run of a script.
	scriptLimit = 90 * time.Second
	waitLimit   = 20 * time.Second
)

// doors are the two kinds of local stack.
var doors = map[string][]string{
	"builtin": nil,
	"real":    {"traefik", "redis-server"},
}

// stack is a local stack in a run directory of its own.
type stack struct {
	t    *testing.T
	run  string
	port int
	env  []string
}

// onBothStacks runs a test on each kind of stack. In short mode only what is
// marked quick runs, and only on baton's own.
func onBothStacks(t *testing.T, quick bool, test func(t *testing.T, s *stack)) {
	t.Helper()
	if testing.Short() && !quick {
		t.Skip("slow")
	}
	for door, needs := range doors {
		t.Run(door, func(t *testing.T) {
			if testing.Short() && door != "builtin" {
				t.Skip("slow")
			}
			for _, tool := range needs {
				if _, err := exec.LookPath(tool); err != nil {
					harness.Skip(t, tool+" is not installed")
				}
			}
			t.Parallel()
			test(t, newStack(t, door))
		})
	}
}

// newStack makes the directories; start is up to the test.
func newStack(t *testing.T, door string) *stack {
	t.Helper()
	s := &stack{t: t, run: t.TempDir(), port: harness.FreePort(t)}
	choice := "BATON_FRONTDOOR= BATON_STORE="
	if door == "builtin" {
		choice = "BATON_FRONTDOOR=builtin BATON_STORE=builtin"
	}
	s.env = append(strings.Fields(choice),
		"PATH="+s.hooks()+":"+os.Getenv("PATH"), "HOME="+os.Getenv("HOME"),
		"BATON_BIN="+filepath.Join(s.run, "hooks", "baton"), "BATON_RUN_DIR="+s.run, "HTTP_PORT="+strconv.Itoa(s.port),
		"BATON_ENV_FILE="+filepath.Join(s.run, "none"), "DRAIN_SPREAD=500ms", "BATON_READY_TIMEOUT=4")
	t.Cleanup(s.down)
	return s
}

// hooks are wrappers of what a promote calls at each of its steps. When the
// journal is at $HOOK_STEP, $HOOK runs, once, in the middle of that step.
func (s *stack) hooks() string {
	dir := filepath.Join(s.run, "hooks")
	if err := os.Mkdir(dir, 0o755); err != nil {
		s.t.Fatal(err)
	}
	binaries := map[string]string{"baton": harness.Binary(s.t)}
	for _, tool := range []string{"curl", "mkdir"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			harness.Skip(s.t, tool+" is not installed")
		}
		binaries[tool] = path
	}
	for name, target := range binaries {
		s.write(filepath.Join(dir, name), `#!/bin/bash
state="$BATON_RUN_DIR/local"
if [[ -n "$HOOK_STEP" ]] && grep -qs "^step=$HOOK_STEP\$" "$state/promote.journal" && (set -C && : >"$state/hooked") 2>/dev/null; then
  eval "$HOOK"
fi
exec `+target+` "$@"
`)
	}
	return dir
}

// hook is the environment that makes a shell command run at a step.
func (s *stack) hook(step, command string) []string {
	_ = os.Remove(filepath.Join(s.run, "local", "hooked"))
	return []string{"HOOK_STEP=" + step, "HOOK=" + command}
}

// The shell commands of hooks.
const (
	killPromote = `kill -9 "$(sed -n 's/^pid=//p' "$state/promote.journal")"`
	killFront   = `kill -9 "$(cut -d' ' -f1 "$state/pids/front")"`
)

func killColor(color string) string {
	return fmt.Sprintf(`kill -9 "$(cut -d' ' -f1 "$state/pids/%s-1")"`, color)
}

// build is a binary for one color: a script that ends in the real one, or doesn't.
func (s *stack) build(color, script string) string {
	path := filepath.Join(s.run, "build-"+color)
	s.write(path, "#!/bin/bash\n"+strings.ReplaceAll(script, "BATON", harness.Binary(s.t))+"\n")
	return "BATON_BIN_" + strings.ToUpper(color) + "=" + path
}

// result is what a script's run came to.
type result struct {
	code int
	text string
}

func (s *stack) script(name string, env []string, args ...string) result {
	s.t.Helper()
	p := s.begin(name, env, args...)
	code := p.Exit(s.t, scriptLimit)
	return result{code: code, text: p.Stdout() + p.Stderr()}
}

func (s *stack) begin(name string, env []string, args ...string) *harness.Process {
	s.t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "scripts", name))
	if err != nil {
		s.t.Fatal(err)
	}
	args = append([]string{path}, append(args, "--driver", "local")...)
	return harness.Run(s.t, harness.Command{Path: "/bin/bash", Args: args, Env: append(append([]string{}, s.env...), env...)})
}

func (s *stack) promote(env []string, args ...string) result {
	s.t.Helper()
	return s.script("promote.sh", env, append([]string{"--bake", "1"}, args...)...)
}

func (s *stack) up(env ...string) {
	s.t.Helper()
	if r := s.script("stack.sh", env, "up"); r.code != 0 {
		s.t.Fatalf("up: %d\n%s", r.code, r.text)
	}
}

// down ends the stack, and nothing may be left of it.
func (s *stack) down() {
	pids := s.pids("")
	for name := range pids {
		s.signal(name, syscall.SIGCONT)
	}
	if r := s.script("stack.sh", nil, "down"); r.code != 0 {
		s.t.Errorf("down: %d\n%s", r.code, r.text)
	}
	for name, pid := range pids {
		if isRunning(pid) {
			s.t.Errorf("down left %s (%d)", name, pid)
		}
	}
}

// pids of the stack's processes whose name begins with prefix, by their names.
func (s *stack) pids(prefix string) map[string]int {
	files, err := filepath.Glob(filepath.Join(s.run, "local", "pids", prefix+"*"))
	if err != nil {
		s.t.Fatal(err)
	}
	pids := map[string]int{}
	for _, file := range files {
		if content, err := os.ReadFile(file); err == nil {
			var pid int
			if _, err := fmt.Sscan(string(content), &pid); err == nil && isRunning(pid) {
				pids[filepath.Base(file)] = pid
			}
		}
	}
	return pids
}

func isRunning(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func (s *stack) signal(name string, sig syscall.Signal) {
	if pid, found := s.pids(name)[name]; found {
		_ = syscall.Kill(pid, sig)
	}
}

// active is the color that the dynamic file says.
func (s *stack) active() string {
	s.t.Helper()
	content, err := os.ReadFile(filepath.Join(s.run, "local", "dynamic", "baton.yml"))
	if err != nil {
		s.t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(content), "- name: ")
	color, _, _ := strings.Cut(after, "\n")
	return color
}

// at waits until the promote under way is at a step.
func (s *stack) at(step string) {
	s.t.Helper()
	harness.Eventually(s.t, waitLimit, "the promote is at its step "+step, func() bool {
		journal, _ := os.ReadFile(filepath.Join(s.run, "local", "promote.journal"))
		return strings.HasPrefix(string(journal), "step="+step+"\n")
	})
}

func (s *stack) front() string { return fmt.Sprintf("http://127.0.0.1:%d", s.port) }

// replica is the base URL of one replica.
func (s *stack) replica(name string) string {
	s.t.Helper()
	port, err := os.ReadFile(filepath.Join(s.run, "local", "ports", name))
	if err != nil {
		s.t.Fatal(err)
	}
	return "http://127.0.0.1:" + strings.TrimSpace(string(port))
}

func (s *stack) write(path, content string) {
	s.t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		s.t.Fatal(err)
	}
}
