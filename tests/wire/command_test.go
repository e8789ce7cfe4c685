package wire

import (
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"baton/tests/harness"
)

func run(t *testing.T, env map[string]string, args ...string) *harness.Process {
	t.Helper()
	list := []string{"PATH=" + os.Getenv("PATH")}
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	return harness.Run(t, harness.Command{Path: harness.Binary(t), Args: args, Env: list})
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		args []string
		code int
	}{
		{[]string{"version"}, 0},
		{[]string{"--help"}, 0},
		{[]string{"help"}, 0},
		{[]string{"serve", "--help"}, 0},
		{[]string{"healthcheck", "--help"}, 0},
		{[]string{"smoke", "--help"}, 0},
		{[]string{"soak", "--help"}, 0},
		{[]string{"version", "--help"}, 0},
		{[]string{"--version"}, 0},
		{[]string{"help", "soak"}, 0},
		{[]string{"help", "nonsense"}, 2},
		{[]string{"nonsense"}, 2},
		{[]string{"--nonsense"}, 2},
		{[]string{"serve", "--nonsense"}, 2},
		{[]string{"serve", "extra"}, 2},
		{[]string{"version", "extra"}, 2},
		{[]string{"healthcheck", "--nonsense"}, 2},
		{[]string{"healthcheck", "--url", "nonsense"}, 2},
		{[]string{"smoke", "--nonsense"}, 2},
		{[]string{"soak", "--clients", "x"}, 2},
		{[]string{"soak", "--clients", "0"}, 2},
		{[]string{"soak", "--url", "nonsense"}, 2},
		{[]string{"smoke", "--url", "ftp://x"}, 2},
	} {
		p := run(t, nil, row.args...)
		if code := p.Exit(t, waitFor); code != row.code {
			t.Errorf("baton %v: exit code %d, want %d\n%s%s", row.args, code, row.code, p.Stdout(), p.Stderr())
		}
		if out := p.Stdout(); row.code == 0 && strings.TrimSpace(out) == "" {
			t.Errorf("baton %v: nothing on stdout", row.args)
		}
		if row.code == 2 && strings.TrimSpace(p.Stderr()) == "" {
			t.Errorf("baton %v: nothing on stderr", row.args)
		}
	}
}

func TestPortInUseIsARuntimeFailure(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	p := run(t, map[string]string{"HOST": "127.0.0.1", "PORT": port})
	if code := p.Exit(t, waitFor); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if !strings.Contains(p.Stderr()+p.Stdout(), port) {
		t.Errorf("the port is not named: %s%s", p.Stdout(), p.Stderr())
	}
}

func TestHealthcheckAndSmoke(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	_, port, _ := net.SplitHostPort(s.Addr)
	for _, args := range [][]string{{"healthcheck"}, {"smoke"}, {"healthcheck", "--url", "http://" + s.Addr}, {"smoke", "--url", "ws://" + s.Addr + "/ws/chat/"}} {
		env := map[string]string{}
		if len(args) == 1 {
			env["PORT"] = port
		}
		p := run(t, env, args...)
		if code := p.Exit(t, 20*time.Second); code != 0 {
			t.Errorf("baton %v: exit code %d\n%s%s", args, code, p.Stdout(), p.Stderr())
		}
	}
	s.Kill()
	for _, args := range [][]string{{"healthcheck", "--url", "http://" + s.Addr}, {"smoke", "--url", "ws://" + s.Addr + "/ws/chat/"}} {
		p := run(t, nil, args...)
		if code := p.Exit(t, 30*time.Second); code != 1 {
			t.Errorf("baton %v of nobody: exit code %d\n%s%s", args, code, p.Stdout(), p.Stderr())
		}
		if strings.TrimSpace(p.Stderr()) == "" {
			t.Errorf("baton %v does not say why it failed", args)
		}
	}
}

func TestHealthcheckOfAProcessThatIsNotReady(t *testing.T) {
	t.Parallel()
	redis := harness.PrepareRedis(t)
	s := harness.StartUnready(t, harness.Env{"REDIS_URL": redis.URL()})
	if code := run(t, nil, "healthcheck", "--url", "http://"+s.Addr).Exit(t, 20*time.Second); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
}
