package metrics

import (
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func testMetrics() *Metrics {
	return New(Build{Color: "blue"}, func() int64 { return 0 }, func() bool { return false }, func() time.Duration { return 0 })
}

// onTheWay is all that is measured of a connection and its messages.
func (m *Metrics) onTheWay() {
	m.Connections.Inc()
	m.Resumes.Inc()
	m.Answered(3, 300*time.Microsecond)
	m.ObserveBatch(3, 200*time.Microsecond, 1, nil)
	m.Error(ReasonCommitTimeout)
	m.Closed(1001)
}

// From 50 µs, a round trip on one machine, to 5 s, the default of COMMIT_TIMEOUT, and never more than 2.5 times apart.
func TestLatencyBucketsReachFrom50MicrosecondsTo5Seconds(t *testing.T) {
	families, err := testMetrics().registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, family := range families {
		name := family.GetName()
		if !strings.HasPrefix(name, "websocket_") && !strings.HasPrefix(name, "session_") || !strings.HasSuffix(name, "_seconds") || family.GetMetric()[0].GetHistogram() == nil {
			continue
		}
		checked++
		var bounds []float64
		for _, bucket := range family.GetMetric()[0].GetHistogram().GetBucket() {
			bounds = append(bounds, bucket.GetUpperBound())
		}
		if slices.Min(bounds) != 50e-6 || slices.Max(bounds) != 5 {
			t.Errorf("%s: %v", name, bounds)
		}
		for i := 1; i < len(bounds); i++ {
			if bounds[i] > 2.5*bounds[i-1]*1.001 {
				t.Errorf("%s: nothing between %v and %v", name, bounds[i-1], bounds[i])
			}
		}
	}
	if checked != 3 {
		t.Errorf("%d histograms of times, want 3", checked)
	}
}

// A lock that two connections wait for would show up in the mutex profile: every wait is recorded.
func TestConnectionsShareNoLock(t *testing.T) {
	defer runtime.SetMutexProfileFraction(runtime.SetMutexProfileFraction(1))
	m := testMetrics()
	var connections sync.WaitGroup
	for range 4 * runtime.GOMAXPROCS(0) {
		connections.Go(func() {
			for range 50_000 {
				m.onTheWay()
			}
		})
	}
	connections.Wait()
	var waits strings.Builder
	if err := pprof.Lookup("mutex").WriteTo(&waits, 1); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(waits.String(), "onTheWay") {
		t.Errorf("connections waited for each other:\n%s", waits.String())
	}
}

// What a message costs to be measured, with all connections at it at once.
func BenchmarkAnswered(b *testing.B) {
	m := testMetrics()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Answered(1, 300*time.Microsecond)
		}
	})
}
