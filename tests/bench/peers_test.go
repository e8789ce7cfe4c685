//go:build linux

package bench

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"baton/tests/harness"
)

const (
	startWithin = 30 * time.Second
	python      = "/usr/bin/python3" // Debian's: another one does not see Debian's packages
	nodePath    = "/usr/share/nodejs"
)

// server is one of those that are compared.
type server struct {
	name   string
	wire   wire
	slow   bool   // needs longer turns for as many messages
	absent string // why it can't run here; empty: it can
	start  func(b *testing.B, redisURL string) *running
}

// running is a server that was started: all of its processes.
type running struct {
	process *harness.Process
	port    int
	baton   *harness.Server // nil: another server
}

// pids are the process and all that it started.
func (r *running) pids() []int { return descendants(r.process.Pid()) }

// rss is their resident memory, bytes; what they share counts for each.
func (r *running) rss(b *testing.B) int64 {
	b.Helper()
	var sum int64
	for _, pid := range r.pids() {
		sum += harness.RSS(b, pid)
	}
	return sum
}

// kill ends the process and all that it started; a worker outlives its killed parent.
func (r *running) kill() {
	all := r.pids()
	r.process.Kill()
	for _, pid := range all[1:] {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended with its parent
	}
}

// servers are Baton, the plainest servers, and the peers that can be installed.
func servers(b *testing.B) []server {
	b.Helper()
	dir := b.TempDir()
	plain, plainAbsent := compile(dir, "plain", ".")
	bare, bareAbsent := compile(dir, "bare", ".")
	nbio, nbioAbsent := compile(dir, "nbio", "peers")
	centrifuge, centrifugeAbsent := compile(dir, "centrifuge", "peers")
	if absent := plainAbsent + bareAbsent; absent != "" {
		b.Fatal(absent)
	}
	return []server{
		{name: "baton", start: startBaton},
		{name: "plain", start: peer(command{plain})},
		{name: "no store", start: peer(command{plain}, "REDIS_URL=")},
		{name: "bare", start: peer(command{bare})},
		{
			name: "django", slow: true, absent: needs(python, "-c", "import channels, django, redis.asyncio, uvicorn, uvloop, websockets"),
			start: peer(command{
				python, "-m", "uvicorn", "app:application", "--host", "127.0.0.1", "--workers", "2", "--loop", "uvloop",
				"--log-level", "error", "--app-dir", absolute(b, "peers/django"), "--port",
			}),
		},
		{
			name: "node", absent: needs("node", "-e", "require('ws'); require('redis')"),
			start: peer(command{"node", absolute(b, "peers/node/server.js")}, "NODE_PATH="+nodePath),
		},
		{name: "nbio", absent: nbioAbsent, start: peer(command{nbio})},
		{name: "centrifuge", absent: centrifugeAbsent, wire: rpc, start: peer(command{centrifuge})},
	}
}

// here leaves out the servers that can't run, and says so.
func here(all []server) []server {
	return slices.DeleteFunc(slices.Clone(all), func(s server) bool {
		if s.absent != "" {
			fmt.Fprintf(os.Stderr, "%s is left out: %s\n", s.name, s.absent)
		}
		return s.absent != ""
	})
}

func compile(dir, name, module string) (binary, absent string) {
	binary = filepath.Join(dir, name)
	cmd := exec.Command("go", "build", "-o", binary, "./"+name)
	cmd.Dir = module
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Sprintf("go build: %v: %s", err, firstLine(out))
	}
	return binary, ""
}

// needs runs a command that fails where something is not installed.
func needs(name string, args ...string) (absent string) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "NODE_PATH="+nodePath)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Sprintf("%s: %v: %s", name, err, lastLine(out))
	}
	return ""
}

func firstLine(out []byte) string { return strings.SplitN(strings.TrimSpace(string(out)), "\n", 2)[0] }

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

func absolute(b *testing.B, path string) string {
	b.Helper()
	full, err := filepath.Abs(path)
	if err != nil {
		b.Fatal(err)
	}
	return full
}

// command is a program and its arguments; one that ends in --port gets the port there, each gets it as PORT.
type command []string

func peer(c command, env ...string) func(*testing.B, string) *running {
	return func(b *testing.B, redisURL string) *running {
		b.Helper()
		path, err := exec.LookPath(c[0])
		if err != nil {
			b.Fatal(err)
		}
		port := harness.FreePort(b)
		args := slices.Clone(c[1:])
		if len(args) > 0 && args[len(args)-1] == "--port" {
			args = append(args, strconv.Itoa(port))
		}
		own := append([]string{"PATH=" + os.Getenv("PATH"), "REDIS_URL=" + redisURL, "PORT=" + strconv.Itoa(port)}, env...)
		r := &running{process: harness.Run(b, harness.Command{Path: path, Args: args, Env: own}), port: port}
		b.Cleanup(r.kill)
		awaitPort(b, filepath.Base(path), port)
		return r
	}
}

func startBaton(b *testing.B, redisURL string) *running {
	b.Helper()
	return startWith(b, harness.Env{"REDIS_URL": redisURL})
}

func startWith(b *testing.B, env harness.Env) *running {
	b.Helper()
	env["MAX_CONNECTIONS"], env["LOG_LEVEL"] = "0", "warn"
	s := harness.Start(b, env)
	_, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		b.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		b.Fatal(err)
	}
	return &running{process: s.Process, port: n, baton: s}
}

func awaitPort(b *testing.B, name string, port int) {
	b.Helper()
	harness.Eventually(b, startWithin, name+" listens", func() bool {
		socket, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false
		}
		return socket.Close() == nil
	})
}
