package harness

import (
	"bufio"
	"fmt"
	"io"
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

// Redis is a real redis-server of the test's own, with its data on disk at every write.
type Redis struct {
	*Process
	Addr  string
	t     testing.TB
	dir   string
	args  []string
	env   []string // besides the test's own
	clock string   // the file with its offset
}

// StartRedis runs redis-server, or skips the test where there is none. More arguments are passed on to it.
func StartRedis(t testing.TB, args ...string) *Redis {
	t.Helper()
	r := PrepareRedis(t, args...)
	r.Start()
	return r
}

// PrepareRedis chooses a port and a directory for a Redis that comes later.
func PrepareRedis(t testing.TB, args ...string) *Redis {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		Skip(t, "redis-server is not installed")
	}
	return &Redis{t: t, Addr: fmt.Sprintf("127.0.0.1:%d", FreePort(t)), dir: t.TempDir(), args: args}
}

// URL is its REDIS_URL.
func (r *Redis) URL() string { return "redis://" + r.Addr + "/0" }

// Start runs it on the data it has and waits until it answers.
func (r *Redis) Start() {
	r.t.Helper()
	path, _ := exec.LookPath("redis-server")
	_, port, _ := net.SplitHostPort(r.Addr)
	args := append([]string{
		"--bind", "127.0.0.1", "--port", port, "--dir", r.dir,
		"--appendonly", "yes", "--appendfsync", "always", "--save", "",
	}, r.args...)
	r.Process = Run(r.t, Command{Path: path, Args: args, Env: append(os.Environ(), r.env...), Dir: r.dir})
	Eventually(r.t, startWithin, "redis answers", func() bool {
		reply, err := r.try("PING")
		return err == nil && (reply == "PONG" || strings.HasPrefix(reply, "NOAUTH"))
	})
}

// Restart kills it with SIGKILL and runs it again on the data it has.
func (r *Redis) Restart() {
	r.t.Helper()
	r.Kill()
	r.Start()
}

// RestartEmpty kills it with SIGKILL and runs it again without any data.
func (r *Redis) RestartEmpty() {
	r.t.Helper()
	r.Kill()
	entries, err := filepath.Glob(filepath.Join(r.dir, "*"))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, entry := range entries {
		_ = os.RemoveAll(entry)
	}
	r.Start()
}

// Pause stops it as a stuck machine does: connections stay, nothing answers.
func (r *Redis) Pause() { r.Signal(syscall.SIGSTOP) }

// Resume lets it go on.
func (r *Redis) Resume() { r.Signal(syscall.SIGCONT) }

// Do sends a command and returns its reply as text: an array's elements stand a line each.
func (r *Redis) Do(args ...string) string {
	r.t.Helper()
	reply, err := r.try(args...)
	if err != nil {
		r.t.Fatalf("redis %v: %v", args, err)
	}
	return reply
}

// Field is one field of a session's hash.
func (r *Redis) Field(session, field string) string {
	r.t.Helper()
	return r.Do("HGET", Key(session), field)
}

// Key is the name of a session's hash.
func Key(session string) string { return "session:{" + session + "}" }

func (r *Redis) try(args ...string) (string, error) {
	socket, err := net.DialTimeout("tcp", r.Addr, requestWithin)
	if err != nil {
		return "", err
	}
	defer socket.Close()
	_ = socket.SetDeadline(time.Now().Add(requestWithin))
	command := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, arg := range args {
		command = fmt.Appendf(command, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := socket.Write(command); err != nil {
		return "", err
	}
	return readReply(bufio.NewReader(socket))
}

func readReply(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	kind, text := line[0], strings.TrimSpace(line[1:])
	if kind != '$' && kind != '*' {
		return text, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return "", err
	}
	if kind == '$' {
		bulk := make([]byte, n+2)
		_, err := io.ReadFull(r, bulk)
		return string(bulk[:n]), err
	}
	var all []string
	for range n {
		element, err := readReply(r)
		if err != nil {
			return "", err
		}
		all = append(all, element)
	}
	return strings.Join(all, "\n"), nil
}
