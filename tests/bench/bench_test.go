//go:build linux

package bench

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"baton/tests/harness"
)

const (
	envOrder  = "BENCH_ORDER"  // set in the load process
	envRounds = "BENCH_ROUNDS" // how often each server takes its turn

	defaultRounds = 3
	warm          = 500 * time.Millisecond
	measure       = 2 * time.Second
)

func TestMain(m *testing.M) {
	if text := os.Getenv(envOrder); text != "" {
		if err := runLoad(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	harness.Main(m)
}

// server is one of those that are compared.
type server struct {
	name  string
	start func(b *testing.B, redisURL string) (process *harness.Process, port int)
}

func servers(b *testing.B) []server {
	b.Helper()
	plain := filepath.Join(b.TempDir(), "plain")
	if out, err := exec.Command("go", "build", "-o", plain, "./plain").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return []server{
		{"baton", startBaton},
		{"plain", func(b *testing.B, url string) (*harness.Process, int) { return startPlain(b, plain, url) }},
		{"no store", func(b *testing.B, _ string) (*harness.Process, int) { return startPlain(b, plain, "") }},
	}
}

func startBaton(b *testing.B, redisURL string) (*harness.Process, int) {
	b.Helper()
	s := harness.Start(b, harness.Env{"REDIS_URL": redisURL, "MAX_CONNECTIONS": "0", "LOG_LEVEL": "warn"})
	_, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		b.Fatal(err)
	}
	n, _ := strconv.Atoi(port)
	return s.Process, n
}

func startPlain(b *testing.B, binary, redisURL string) (*harness.Process, int) {
	b.Helper()
	port := harness.FreePort(b)
	p := harness.Run(b, harness.Command{Path: binary, Env: []string{"REDIS_URL=" + redisURL, "PORT=" + strconv.Itoa(port)}})
	harness.Eventually(b, 10*time.Second, "the plain server listens", func() bool {
		socket, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false
		}
		return socket.Close() == nil
	})
	return p, port
}

// apply runs the load process to its report.
func apply(b *testing.B, o order) yield {
	b.Helper()
	cmd, err := loader(o)
	if err != nil {
		b.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("load: %v", err)
	}
	var report yield
	if err := json.Unmarshal(out, &report); err != nil {
		b.Fatalf("load: %v: %s", err, out)
	}
	return report
}

func loader(o order) (*exec.Cmd, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envOrder+"="+string(text))
	return cmd, nil
}

func rounds() int {
	if n, err := strconv.Atoi(os.Getenv(envRounds)); err == nil && n > 0 {
		return n
	}
	return defaultRounds
}
