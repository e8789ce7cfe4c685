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
	idleConnections  = 10_000
	quickConnections = 500
	filesBesides     = 200 // a process needs some for itself
	settleEvery      = time.Second
	settleAtLeast    = 12 * time.Second // a server may give back what its clients' arrival took
	settleAtMost     = 20 * time.Second
)

// BenchmarkIdle measures the memory of a connection that does nothing.
func BenchmarkIdle(b *testing.B) {
	redis := harness.StartRedis(b, "--appendonly", "no")
	n := affordable(b)
	all := servers(b)
	cost := map[string]float64{}
	for _, candidate := range here(all) {
		cost[candidate.name] = idleCost(b, candidate, redis, n)
		fmt.Printf("%s: %.2f KB RSS a connection at %d\n", candidate.name, cost[candidate.name], n)
	}
	targets := []target{{What: "RSS of an idle connection", Value: cost["baton"], Bound: 1.7, Unit: " KB"}}
	printTargets(targets)
	save(b, "idle", report{Rows: cost, Targets: targets})
}

// BenchmarkStart measures the time from start to ready, and the size of the binary.
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
	targets := []target{
		{What: "start to ready, app_startup_time_seconds", Value: median(startup), Spread: spread(startup), Bound: 20, Unit: " ms"},
		{What: "start of the process to /readyz seen from outside", Value: median(wall), Spread: spread(wall), Bound: 200, Unit: " ms"},
	}
	printTargets(targets)
	save(b, "start", report{Targets: targets})
}

func idleCost(b *testing.B, candidate server, redis *harness.Redis, n int) float64 {
	b.Helper()
	r := candidate.start(b, redis.URL())
	defer r.kill()
	before := settled(b, r)
	release := hold(b, order{Port: r.port, Clients: n, Wire: candidate.wire})
	defer release()
	return float64(settled(b, r)-before) / 1024 / float64(n)
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
func settled(b *testing.B, r *running) int64 {
	b.Helper()
	last, begin := r.rss(b), time.Now()
	for time.Since(begin) < settleAtMost {
		time.Sleep(settleEvery)
		now := r.rss(b)
		if diff := now - last; diff < last/100 && diff > -last/100 && (quick() || time.Since(begin) > settleAtLeast) {
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
	if quick() {
		return quickConnections
	}
	return min(idleConnections, int(limit.Cur)-filesBesides)
}
