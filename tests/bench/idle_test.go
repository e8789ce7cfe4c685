//go:build linux

package bench

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"baton/tests/harness"
)

const (
	idleConnections = 10_000
	filesBesides    = 200 // a process needs some for itself
	settleEvery     = time.Second
	settleAtMost    = 20 * time.Second
)

// BenchmarkIdle measures the memory of a connection that does nothing.
func BenchmarkIdle(b *testing.B) {
	redis := harness.StartRedis(b, "--appendonly", "no")
	n := affordable(b)
	cost := map[string]float64{}
	for _, candidate := range servers(b)[:2] {
		cost[candidate.name] = idleCost(b, candidate, redis, n)
		fmt.Printf("%s: %.2f KB RSS a connection at %d\n", candidate.name, cost[candidate.name], n)
	}
	printTargets([]target{
		{"idle RSS a connection", cost["baton"], 13, " KB"},
		{"idle RSS a connection, the later target", cost["baton"], 1.7, " KB"},
	})
}

// BenchmarkStart measures the time from start to ready.
func BenchmarkStart(b *testing.B) {
	redis := harness.StartRedis(b, "--appendonly", "no")
	var startup, wall []float64
	for range max(rounds(), 5) {
		begin := time.Now()
		s := harness.Start(b, harness.Env{"REDIS_URL": redis.URL()})
		wall = append(wall, float64(time.Since(begin).Milliseconds()))
		startup = append(startup, 1000*s.Metrics().Value("app_startup_time_seconds"))
		s.Kill()
	}
	printTargets([]target{
		{"start to ready, app_startup_time_seconds", median(startup), 100, " ms"},
		{"start to ready, the later target", median(startup), 20, " ms"},
		{"start of the process to /readyz seen from outside", median(wall), 200, " ms"},
	})
}

func idleCost(b *testing.B, candidate server, redis *harness.Redis, n int) float64 {
	b.Helper()
	process, port := candidate.start(b, redis.URL())
	defer process.Kill()
	before := settled(b, process)
	release := hold(b, order{Port: port, Clients: n})
	defer release()
	return float64(settled(b, process)-before) / 1024 / float64(n)
}

// hold opens connections from a process of their own and keeps them until release is called.
func hold(b *testing.B, o order) (release func()) {
	b.Helper()
	cmd, err := loader(o)
	if err != nil {
		b.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	in, out := pipes(b, cmd)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		b.Fatalf("load: %v", err)
	}
	return func() {
		in.Close()
		_ = cmd.Wait()
	}
}

func pipes(b *testing.B, cmd *exec.Cmd) (io.WriteCloser, io.ReadCloser) {
	b.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	return in, out
}

// settled waits until the resident memory no longer falls or rises by more than a hundredth.
func settled(b *testing.B, p *harness.Process) int64 {
	b.Helper()
	last := p.RSS(b)
	for end := time.Now().Add(settleAtMost); time.Now().Before(end); {
		time.Sleep(settleEvery)
		now := p.RSS(b)
		if diff := now - last; diff < last/100 && diff > -last/100 {
			return now
		}
		last = now
	}
	return last
}

// affordable is how many connections the limit of open files allows.
func affordable(b *testing.B) int {
	b.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		b.Fatal(err)
	}
	return min(idleConnections, int(limit.Cur)-filesBesides)
}
