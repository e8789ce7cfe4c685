// Package loadtest runs the load tests of scripts/loadtest with few users: they pass on the service, and fail on a broken one.
package loadtest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"baton/tests/harness"
)

const (
	users    = "50"
	duration = "12s"
	// runLimit bounds one run, the coming and going of its stack included.
	runLimit = 90 * time.Second
	// k6Failed is k6's exit code for a threshold that was missed.
	k6Failed = 99
)

// Replies that skip a count: 1, 3, 4, 6.
const (
	brokenFile = "handlers/conn.go"
	brokenText = `appendReply(*buffer, c.hub.handler, n)`
	brokenBug  = `appendReply(*buffer, c.hub.handler, n+n/2)`
)

func TestMain(m *testing.M) { harness.Main(m) }

func TestLocust(t *testing.T) {
	need(t, "locust")
	if code, out := locust(t); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
}

func TestLocustFailsOnABrokenService(t *testing.T) {
	need(t, "locust")
	plant(t)
	if code, out := locust(t); code != 1 || !regexp.MustCompile(`count \d+ after \d+`).MatchString(out) {
		t.Fatalf("exit code %d, want 1 and the broken count told\n%s", code, out)
	}
}

func TestK6(t *testing.T) {
	need(t, "k6")
	if code, out := k6(t); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
}

func TestK6FailsOnABrokenService(t *testing.T) {
	need(t, "k6")
	plant(t)
	if code, out := k6(t); code != k6Failed {
		t.Fatalf("exit code %d, want %d\n%s", code, k6Failed, out)
	}
}

func need(t *testing.T, tool string) {
	t.Helper()
	if testing.Short() {
		t.Skip("slow")
	}
	if _, err := exec.LookPath(tool); err != nil {
		harness.Skip(t, tool+" is not installed")
	}
}

func plant(t *testing.T) {
	t.Helper()
	harness.Plant(t, brokenFile, brokenText, brokenBug)
}

// locust lets run.sh start a stack of its own, as it does where none runs.
func locust(t *testing.T) (int, string) {
	t.Helper()
	return run(t, environment(t), script("loadtest", "run.sh"))
}

func k6(t *testing.T) (int, string) {
	t.Helper()
	env := environment(t)
	t.Cleanup(func() { run(t, env, script("stack.sh"), "down", "--driver", "local") })
	code, out := run(t, env, script("stack.sh"), "up", "--driver", "local")
	serving := regexp.MustCompile(`serving: (\S+)`).FindStringSubmatch(out)
	if code != 0 || serving == nil {
		t.Fatalf("the stack did not come up: %s", out)
	}
	return run(t, env, "k6", "run", "--quiet", "--no-usage-report", "-e", "HOST="+serving[1], "-e", "USERS="+users,
		"-e", "DURATION="+duration, script("loadtest", "k6", "chat.js"))
}

// environment: a run directory of its own, no .env, and an HTTP_PORT where nothing serves.
func environment(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	return append(os.Environ(), "BATON_BIN="+harness.Binary(t), "BATON_RUN_DIR="+dir, "BATON_DRIVER=local",
		"BATON_ENV_FILE="+filepath.Join(dir, "none"), "HTTP_PORT=0", "HOST=", "USERS="+users, "DURATION="+duration)
}

func script(path ...string) string {
	return filepath.Join(append([]string{"..", "..", "scripts"}, path...)...)
}

// run returns the exit code and everything that was printed.
func run(t *testing.T, env []string, name string, args ...string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), runLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = env
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatalf("%s: %v", name, err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}
