//go:build linux

package bench

import (
	"encoding/json"
	"fmt"
	"io"
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
	beatEvery   = 5 * time.Second
	beatsSeen   = 4
	drainSpread = 3 * time.Second
)

// watcher is a load process that holds connections and times what comes to them.
type watcher struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *json.Decoder
	took time.Duration // its handshakes
	held int
}

func watchFrom(b *testing.B, port, clients, first int) *watcher {
	b.Helper()
	cmd, err := loader(order{Port: port, Clients: clients, First: first, Watch: true})
	if err != nil {
		b.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	in, out := pipes(b, cmd)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	return &watcher{cmd: cmd, in: in, out: json.NewDecoder(out), held: clients}
}

func (w *watcher) ready(b *testing.B) {
	b.Helper()
	var o opened
	if err := w.out.Decode(&o); err != nil {
		b.Fatalf("load: %v", err)
	}
	w.took = o.Took
}

func (w *watcher) end(b *testing.B) seen {
	b.Helper()
	w.in.Close()
	var s seen
	if err := w.out.Decode(&s); err != nil {
		b.Fatalf("load: %v", err)
	}
	_ = w.cmd.Wait()
	return s
}

// point is a count of connections and what the server held for them.
type point struct {
	Connections int   `json:"connections"`
	RSS         int64 `json:"rss_bytes"`
}

// capacity is one way of holding many connections.
type capacity struct {
	memory     []point
	opening    time.Duration // the first 5,000
	beats      []float64     // ms until the last connection had it
	incomplete int           // heartbeats that some connection did not get
	idle       []float64     // percent of a core, in one second each
	drain      time.Duration // SIGTERM → the last process has ended
	away, hung int           // connections closed 1001; ended without a close frame
}

// BenchmarkCapacity finds out what one machine holds: idle connections, their heartbeats, their end; then messages
// against latency, straight and through Traefik.
func BenchmarkCapacity(b *testing.B) {
	redis := harness.StartRedis(b, "--appendonly", "no")
	steps, each := []int{2500, 2500, 5000, 4500, 4500}, 7000
	if quick() {
		steps, each = []int{200, 200}, 200
	}
	one, three := held(b, redis, 1, steps), held(b, redis, 3, []int{each, each, each})
	targets := append(capacityTargets("19,000 in one process", one), capacityTargets("21,000 in three", three)...)
	targets = append(targets, target{What: "opening 5,000 connections", Value: one.opening.Seconds(), Bound: 1, Unit: " s"})
	printTargets(targets)
	save(b, "capacity", report{Targets: targets, Rows: map[string]any{"memory": one.memory, "curve": curve(b, redis)}})
}

func capacityTargets(name string, c capacity) []target {
	return []target{
		{What: name + ": a heartbeat at all of them, the slowest", Value: maximum(c.beats), Spread: spread(c.beats), Bound: 100, Unit: " ms"},
		{What: name + ": CPU between heartbeats, of a core", Value: max(median(c.idle), 0.01), Bound: 2, Unit: " %"},
		{What: name + ": SIGTERM to the end of the process", Value: c.drain.Seconds(), Bound: (drainSpread + time.Second).Seconds(), Unit: " s"},
	}
}

func maximum(values []float64) float64 {
	most := values[0]
	for _, v := range values {
		most = max(most, v)
	}
	return most
}

// held opens connections in steps, each from a process of its own, to as many replicas in turns.
func held(b *testing.B, redis *harness.Redis, replicas int, steps []int) capacity {
	b.Helper()
	var servers []*running
	for range replicas {
		servers = append(servers, startWith(b, harness.Env{
			"REDIS_URL": redis.URL(), "HEARTBEAT_INTERVAL": beatEvery.String(), "DRAIN_SPREAD": drainSpread.String(),
		}))
	}
	var c capacity
	var watchers []*watcher
	total := 0
	for i, n := range steps {
		w := watchFrom(b, servers[i%replicas].port, n, total)
		watchers, total = append(watchers, w), total+n
		if i == 0 { // the first two open together
			continue
		}
		for _, w := range watchers {
			if w.took == 0 {
				w.ready(b)
			}
		}
		if i == 1 {
			c.opening = max(watchers[0].took, watchers[1].took)
		}
		var rss int64
		for _, s := range servers {
			rss += s.rss(b)
		}
		c.memory = append(c.memory, point{total, rss})
		fmt.Fprintf(os.Stderr, "%d connections held\n", total)
	}
	c.idle = idleCPU(b, servers)
	began := time.Now()
	for _, s := range servers {
		s.process.Signal(syscall.SIGTERM)
	}
	for _, s := range servers {
		if code := s.process.Exit(b, time.Minute); code != 0 {
			b.Errorf("a drained server ended with %d", code)
		}
	}
	c.drain = time.Since(began)
	c.collect(b, watchers)
	if c.away != total || c.incomplete > 0 {
		b.Errorf("of %d connections %d were closed 1001 and %d cut; %d heartbeats missed somebody", total, c.away, c.hung, c.incomplete)
	}
	return c
}

// idleCPU is what the servers use in each second of a few heartbeats' time.
func idleCPU(b *testing.B, servers []*running) []float64 {
	b.Helper()
	var pids []int
	for _, s := range servers {
		pids = append(pids, s.process.Pid())
	}
	var all []float64
	last := mustCPU(b, pids)
	for end := time.Now().Add(beatsSeen * beatEvery); time.Now().Before(end); {
		time.Sleep(time.Second)
		now := mustCPU(b, pids)
		all, last = append(all, 100*(now-last).Seconds()), now
	}
	return all
}

func mustCPU(b *testing.B, pids []int) time.Duration {
	b.Helper()
	used, err := cpuTime(pids...)
	if err != nil {
		b.Fatal(err)
	}
	return used
}

// collect asks the watchers what they saw. A heartbeat counts that came once all connections were there; while some
// opened or closed, not all can have it.
func (c *capacity) collect(b *testing.B, watchers []*watcher) {
	b.Helper()
	for _, w := range watchers {
		s := w.end(b)
		c.away, c.hung = c.away+s.Closed[1001], c.hung+s.Hung
		full := 0
		for _, beat := range s.Beats {
			if beat.Count == w.held {
				full++
				c.beats = append(c.beats, float64(beat.Last)/float64(time.Millisecond))
			}
		}
		c.incomplete += max(0, beatsSeen-1-full)
	}
}

// load is a point of messages against latency.
type loadPoint struct {
	Way      string  `json:"way"`
	Clients  int     `json:"clients"`
	InFlight int     `json:"in_flight"`
	Rate     float64 `json:"rate"`
	P50      float64 `json:"p50_us"`
	P99      float64 `json:"p99_us"`
}

// curve loads the service more and more: each client sends its next message when one was answered.
func curve(b *testing.B, redis *harness.Redis) []loadPoint {
	b.Helper()
	shapes := []shape{{1, 1}, {10, 1}, {100, 1}, {1000, 1}, {1000, 2}, {1000, 4}, {1000, 8}, {1000, 16}, {1000, 32}}
	s := startBaton(b, redis.URL())
	defer s.kill()
	ways := map[string]int{"direct": s.port}
	if path, err := exec.LookPath("traefik"); err == nil {
		ways["Traefik"] = startTraefik(b, path, s.port)
	} else {
		fmt.Fprintln(os.Stderr, "no traefik: the way through it is left out")
	}
	first, then := server{}.turn()
	var points []loadPoint
	for _, way := range []string{"direct", "Traefik"} {
		for _, at := range shapes {
			if ways[way] == 0 {
				continue
			}
			y := apply(b, order{Port: ways[way], Clients: at.clients, InFlight: at.inFlight, Warm: first, Measure: then})
			p := loadPoint{
				way, at.clients, at.inFlight, float64(y.Messages) / y.Elapsed.Seconds(),
				float64(y.P50.Microseconds()), float64(y.P99.Microseconds()),
			}
			points = append(points, p)
			fmt.Printf("%s, %s: %.0f msg/s, p50 %.0f µs, p99 %.0f µs\n", way, at, p.Rate, p.P50, p.P99)
		}
	}
	return points
}

func startTraefik(b *testing.B, path string, backend int) int {
	b.Helper()
	dir, port := b.TempDir(), harness.FreePort(b)
	dynamic := `http:
  routers: {all: {rule: "PathPrefix(` + "`/`" + `)", service: baton}}
  services: {baton: {loadBalancer: {servers: [{url: "http://127.0.0.1:` + strconv.Itoa(backend) + `"}]}}}
`
	file := filepath.Join(dir, "dynamic.yml")
	if err := os.WriteFile(file, []byte(dynamic), 0o600); err != nil {
		b.Fatal(err)
	}
	harness.Run(b, harness.Command{Path: path, Env: os.Environ(), Args: []string{
		fmt.Sprintf("--entryPoints.web.address=127.0.0.1:%d", port), "--providers.file.filename=" + file,
		"--global.checkNewVersion=false", "--global.sendAnonymousUsage=false",
	}})
	awaitPort(b, "traefik", port)
	h := harness.Handshake{}
	harness.Eventually(b, startWithin, "traefik routes", func() bool {
		p, answer, err := h.Open("127.0.0.1:" + strconv.Itoa(port))
		if p != nil {
			_ = p.Close()
		}
		return err == nil && strings.HasPrefix(strconv.Itoa(answer.Status), "101")
	})
	return port
}
