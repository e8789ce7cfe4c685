// Package hostile runs clients that mean harm against a real server, and looks at what the others notice of it.
package hostile

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"baton/tests/harness"
)

func TestMain(m *testing.M) {
	if addr := os.Getenv(envCrowd); addr != "" {
		if err := stand(addr, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	harness.Main(m)
}

const (
	rounds    = 5
	roundTime = 400 * time.Millisecond
	waitFor   = 20 * time.Second
	// attacker is where hostile clients come from: the limits of an address are theirs alone.
	attacker = "127.0.0.2"

	retries    = 2
	mostMemory = 64 << 20
	mostCPU    = 1.5 // cores, the others' messages included
	leastNice  = 19
	// noise is a p99 below which the scheduler of two shared cores is measured, not the server.
	noise = 10 * time.Millisecond
)

// attack is one kind of hostile client.
type attack struct {
	name   string
	strike func(stop <-chan struct{}) // one round of it, from several threads if it likes
	// verdict checks the answer and the metric when it is over, and says in a few words what the client could do.
	verdict func() string
}

// measured is what several rounds came to: the medians of the others' p99 in seconds, and of its growth.
type measured struct{ quiet, loud, ratio, cpu float64 }

// tolerable is what the others may notice.
func (m measured) tolerable() bool { return m.ratio < 2 || m.loud < noise.Seconds() }

// run attacks a server beside its well-behaved clients. What only a busy machine did does not come three times.
func run(t *testing.T, s *harness.Server, a attack) {
	t.Helper()
	others := newBystanders(t, s)
	others.p99(roundTime) // warms up
	memory := s.RSS(t)
	m := a.measure(s, others)
	for range retries {
		if !m.tolerable() {
			m = a.measure(s, others)
		}
	}
	could := a.verdict()
	grown := max(s.RSS(t)-memory, 0)
	if grown > mostMemory {
		t.Errorf("memory grew by %d MB", grown>>20)
	}
	if !m.tolerable() {
		t.Errorf("p99 of the others: %.1f ms, %.1f times that of quiet rounds", m.loud*1e3, m.ratio)
	}
	if m.cpu > mostCPU {
		t.Errorf("the server used %.1f cores", m.cpu)
	}
	others.alive()
	t.Logf("%s: p99 %.2f → %.2f ms, ratio %.2f, %+.1f MB, %.0f %% of a core", a.name, m.quiet*1e3, m.loud*1e3, m.ratio, float64(grown)/(1<<20), m.cpu*100)
	harness.Row(t, "hostile", a.name, could, fmt.Sprintf("%.1f → %.1f ms", m.quiet*1e3, m.loud*1e3),
		fmt.Sprintf("%.0f MB", math.Ceil(float64(grown)/(1<<20))), fmt.Sprintf("%.0f %%", m.cpu*100))
}

// measure lets quiet rounds and rounds under attack take turns, so that whatever else the machine does meets both.
func (a attack) measure(s *harness.Server, others *bystanders) measured {
	var quiet, loud, ratios []float64
	spent := 0.0
	for range rounds {
		before := others.p99(roundTime)
		stop, done := make(chan struct{}), make(chan struct{})
		used := cpu(s)
		go func() {
			defer close(done)
			a.strike(stop)
		}()
		during := others.p99(roundTime)
		spent += cpu(s) - used
		close(stop)
		<-done
		quiet, loud, ratios = append(quiet, before), append(loud, during), append(ratios, during/before)
	}
	return measured{median(quiet), median(loud), median(ratios), spent / (rounds * roundTime.Seconds())}
}

// start runs a server with the limits that a public entry point should have.
func start(t *testing.T, env harness.Env) *harness.Server {
	t.Helper()
	if testing.Short() {
		t.Skip("measures for seconds")
	}
	vars := harness.Env{"TRUSTED_PROXIES": "none", "CONNECT_RATE": "200", "LOG_LEVEL": "error"}
	for name, value := range env {
		vars[name] = value
	}
	return harness.Start(t, vars)
}

// threads runs f n times at once at the lowest priority: on a real network the attacker's work is not done by the
// server's processor.
func threads(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
			_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), leastNice)
			f(i)
		})
	}
	all.Wait()
}

// until repeats f, most times at most, until the round is over.
func until(stop <-chan struct{}, most int, f func(n int)) {
	for n := range most {
		select {
		case <-stop:
			return
		default:
			f(n)
		}
	}
}

// cpu is the processor time that the server has used, in seconds.
func cpu(s *harness.Server) float64 { return s.Metrics().Value("process_cpu_seconds_total") }

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
