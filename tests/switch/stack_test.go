package switchtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
	*harness.Stack
	t *testing.T
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
	choice := "BATON_FRONTDOOR= BATON_STORE="
	if door == "builtin" {
		choice = "BATON_FRONTDOOR=builtin BATON_STORE=builtin"
	}
	s := &stack{Stack: harness.NewStack(t, append(strings.Fields(choice), "DRAIN_SPREAD=500ms", "BATON_READY_TIMEOUT=4")...), t: t}
	hooks := s.hooks()
	s.Set("PATH="+hooks+":"+os.Getenv("PATH"), "BATON_BIN="+filepath.Join(hooks, "baton"))
	return s
}

// hooks are wrappers of what a promote calls at each of its steps. When the
// journal is at $HOOK_STEP, $HOOK runs, once, in the middle of that step.
func (s *stack) hooks() string {
	dir := filepath.Join(s.Run, "hooks")
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
	_ = os.Remove(filepath.Join(s.Run, "local", "hooked"))
	return []string{"HOOK_STEP=" + step, "HOOK=" + command}
}

// The shell commands of hooks.
const (
	killPromote = `kill -9 "$(sed -n 's/^pid=//p' "$state/promote.journal")"`
	stopPromote = `kill "$(sed -n 's/^pid=//p' "$state/promote.journal")"`
	killFront   = `kill -9 "$(cut -d' ' -f1 "$state/pids/front")"`
)

func killColor(color string) string {
	return fmt.Sprintf(`kill -9 "$(cut -d' ' -f1 "$state/pids/%s-1")"`, color)
}

// build is a binary for one color: a script that ends in the real one, or doesn't.
func (s *stack) build(color, script string) string {
	path := filepath.Join(s.Run, "build-"+color)
	s.write(path, "#!/bin/bash\n"+strings.ReplaceAll(script, "BATON", harness.Binary(s.t))+"\n")
	return "BATON_BIN_" + strings.ToUpper(color) + "=" + path
}

func (s *stack) promote(env []string, args ...string) harness.Result {
	s.t.Helper()
	return s.Script("promote.sh", env, append([]string{"--bake", "1"}, args...)...)
}

func (s *stack) write(path, content string) {
	s.t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		s.t.Fatal(err)
	}
}
