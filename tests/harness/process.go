package harness

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	pollEvery  = 5 * time.Millisecond
	dumpWithin = 2 * time.Second
)

// Process is a child whose output goes to files, so that reading it takes no goroutine and misses nothing.
type Process struct {
	cmd  *exec.Cmd
	dir  string
	done chan struct{}
}

// Command is how a child is started.
type Command struct {
	Path string
	Args []string
	Env  []string // the whole environment
	Dir  string   // its working directory; empty: a new one
}

// Run starts a child that is killed, and waited for, when the test ends.
func Run(t testing.TB, command Command) *Process {
	t.Helper()
	out := t.TempDir()
	p := &Process{cmd: exec.Command(command.Path, command.Args...), dir: out, done: make(chan struct{})}
	p.cmd.Env, p.cmd.Dir = command.Env, command.Dir
	if p.cmd.Dir == "" {
		p.cmd.Dir = t.TempDir()
	}
	stdout, stderr := create(t, filepath.Join(out, "stdout")), create(t, filepath.Join(out, "stderr"))
	defer stdout.Close()
	defer stderr.Close()
	p.cmd.Stdout, p.cmd.Stderr = stdout, stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", command.Path, err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // the exit code is read from ProcessState
	}()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("%s %v\nstdout:\n%s\nstderr:\n%s", filepath.Base(command.Path), command.Args, tail(p.Stdout()), tail(p.Stderr()))
		}
	})
	return p
}

// Pid is the child's process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Stdout is everything the child has written to its standard output so far.
func (p *Process) Stdout() string { return p.read("stdout") }

// Stderr is everything the child has written to its standard error so far.
func (p *Process) Stderr() string { return p.read("stderr") }

// Signal sends the child a signal; one that has ended takes none.
func (p *Process) Signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) }

// Kill ends the child at once and waits for it.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.done
}

// Alive tells whether the child still runs.
func (p *Process) Alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Exit waits for the child's end and returns its exit code, -1 for a signal's.
func (p *Process) Exit(t testing.TB, within time.Duration) int {
	t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		p.Signal(syscall.SIGQUIT) // a Go process tells where its goroutines stand
		select {
		case <-p.done:
		case <-time.After(dumpWithin):
		}
		t.Fatalf("process %d still runs after %v", p.Pid(), within)
		return -1
	}
}

// RSS is the child's resident memory, bytes.
func (p *Process) RSS(t testing.TB) int64 {
	t.Helper()
	return RSS(t, p.Pid())
}

// RSS is a process' resident memory, bytes.
func RSS(t testing.TB, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		Skip(t, "no /proc to read memory from")
	}
	for line := range strings.Lines(string(status)) {
		if kb, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(kb), " kB"), 10, 64)
			return n << 10
		}
	}
	t.Fatalf("process %d has no VmRSS", pid)
	return 0
}

func (p *Process) read(name string) string {
	data, _ := os.ReadFile(filepath.Join(p.dir, name))
	return string(data)
}

// Eventually waits until a condition holds.
func Eventually(t testing.TB, within time.Duration, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(pollEvery) {
		if holds() {
			return
		}
	}
	if !holds() {
		t.Fatalf("not within %v: %s", within, what)
	}
}

// FreePort is a port nobody listens on, below the range that outgoing connections take theirs from.
func FreePort(t testing.TB) int {
	t.Helper()
	const lowest, span, tries = 12000, 20000, 200
	for range tries {
		port := lowest + rand.IntN(span)
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			listener.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

func create(t testing.TB, path string) *os.File {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// tail keeps a failed test's report readable.
func tail(s string) string {
	const most = 16000
	if len(s) <= most {
		return s
	}
	s = s[len(s)-most:]
	return "…" + s[bytes.IndexByte([]byte(s), '\n')+1:]
}
