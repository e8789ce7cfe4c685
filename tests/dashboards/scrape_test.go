package dashboards

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"baton/tests/harness"
)

const (
	held           = 7000 // connections, the default MAX_CONNECTIONS
	scrapes        = 1000
	scrapeEvery    = 15 * time.Second // prometheus.yml
	mostOfACore    = 0.01
	ticksPerSecond = 100     // USER_HZ
	mostGrowth     = 8 << 20 // a third of the answers, if they were kept

	// What Prometheus says it takes; gzip, as it does too, is the HTTP client's own.
	acceptHeader = "Accept: application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)

// At 7,000 connections a scrape every 15 s costs under 1 % of a core, all that the process does meanwhile included; and
// 1,000 scrapes leave nothing behind.
func TestScrapesAreCheapAndLeakNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("holds 7,000 connections")
	}
	server := harness.Start(t, harness.Env{"HEARTBEAT_INTERVAL": "10m", "IDLE_TIMEOUT": "30m", "MAX_CONNECTIONS_PER_ADDRESS": "0"})
	n := affordable(t)
	hold(t, server, n)
	warm := scrape(t, server, scrapes/4)
	began := cpu(t, server)
	after := scrape(t, server, scrapes)
	spent := (cpu(t, server) - began).Seconds()
	share := spent / scrapes / scrapeEvery.Seconds()
	t.Logf("%d connections: a scrape takes %.2f ms of CPU, every 15 s %.4f %% of a core", n, 1000*spent/scrapes, 100*share)
	if share > mostOfACore {
		t.Errorf("scrapes take %.2f %% of a core, over %.0f %%", 100*share, 100*mostOfACore)
	}
	if after.active != float64(n) {
		t.Errorf("%v connections are left of %d", after.active, n)
	}
	for what, values := range map[string][3]float64{
		"goroutines": {warm.goroutines, after.goroutines, 10}, "descriptors": {warm.fds, after.fds, 10}, "live heap, bytes": {warm.heap, after.heap, mostGrowth},
	} {
		t.Logf("%s: %.0f before, %.0f after", what, values[0], values[1])
		if values[1] > values[0]+values[2] {
			t.Errorf("%s: %.0f before %d scrapes, %.0f after", what, values[0], scrapes, values[1])
		}
	}
}

// usage is what a process held during some scrapes, at the least: of the heap that is what outlived a collection.
type usage struct{ active, goroutines, fds, heap float64 }

func scrape(t *testing.T, server *harness.Server, times int) usage {
	t.Helper()
	const settled = scrapes / 4 // the last ones: several collections
	var goroutines, fds, heap []float64
	var last harness.Samples
	for range times {
		last = harness.ParseMetrics(t, server.Get("/metrics", acceptHeader).Body)
		goroutines = append(goroutines, last.Value("go_goroutines"))
		fds = append(fds, last.Value("process_open_fds"))
		heap = append(heap, last.Value("go_memstats_heap_alloc_bytes"))
	}
	recent := func(values []float64) float64 { return slices.Min(values[len(values)-settled:]) }
	return usage{last.Value("websocket_active_connections"), recent(goroutines), recent(fds), recent(heap)}
}

// hold opens connections that stay until the test ends.
func hold(t *testing.T, server *harness.Server, n int) {
	t.Helper()
	const dialers = 8
	var running sync.WaitGroup
	failed := make(chan error, n)
	peers := make([]*harness.Peer, n)
	for d := range dialers {
		running.Go(func() {
			for i := d; i < n; i += dialers {
				peer, answer, err := harness.Handshake{}.Open(server.Addr)
				if err != nil || peer == nil {
					failed <- fmt.Errorf("connection %d: %d %w", i, answer.Status, err)
					return
				}
				peers[i] = peer
			}
		})
	}
	running.Wait()
	t.Cleanup(func() {
		for _, p := range peers {
			if p != nil {
				p.Conn.Close()
			}
		}
	})
	if len(failed) > 0 {
		t.Fatal(<-failed)
	}
}

// affordable is how many connections the limit of open files lets the test and the server have.
func affordable(t *testing.T) int {
	t.Helper()
	const others = 200
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Max < held+others {
		t.Logf("the limit of open files is %d (`ulimit -Hn`), so fewer than %d connections are held", limit.Max, held)
	}
	return int(min(held, limit.Max-others))
}

// cpu is the time that a process has spent on a CPU.
func cpu(t *testing.T, server *harness.Server) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", server.Pid()))
	if err != nil {
		harness.Skip(t, "no /proc to read CPU time from")
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	const utime, stime = 11, 12 // behind the name
	user, _ := strconv.Atoi(fields[utime])
	system, _ := strconv.Atoi(fields[stime])
	return time.Duration(user+system) * time.Second / ticksPerSecond
}
