//go:build linux

package bench

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"text/tabwriter"
	"time"

	"baton/tests/harness"
)

// shape is how many clients there are and how many messages each has on the way.
type shape struct{ clients, inFlight int }

func (s shape) String() string { return fmt.Sprintf("%d × %d", s.clients, s.inFlight) }

// figures are one server's under one shape, a value a round.
type figures struct{ rate, server, store, p50, p99 []float64 }

type results map[string]map[shape]*figures

// BenchmarkMessages compares the cost of a message, and says what the project promises of it.
func BenchmarkMessages(b *testing.B) {
	shapes := []shape{{1000, 16}, {1000, 1}, {100, 1}, {1, 1}}
	redis := harness.StartRedis(b, "--appendonly", "no")
	all := servers(b)
	found := results{}
	for round := range rounds() {
		for _, s := range shapes {
			for turn := range all {
				candidate := all[(turn+round)%len(all)]
				found.add(candidate.name, s, turnOf(b, candidate, redis, s))
			}
		}
	}
	found.print(all, shapes)
	printTargets(messageTargets(found))
}

// turnOf starts a server anew, so that nobody inherits another round's memory, and loads it.
func turnOf(b *testing.B, candidate server, redis *harness.Redis, s shape) yield {
	b.Helper()
	process, port := candidate.start(b, redis.URL())
	defer process.Kill()
	return apply(b, order{
		Port: port, Clients: s.clients, InFlight: s.inFlight, Warm: warm, Measure: measure, Pids: []int{process.Pid(), redis.Pid()},
	})
}

func (r results) add(name string, s shape, y yield) {
	if r[name] == nil {
		r[name] = map[shape]*figures{}
	}
	if r[name][s] == nil {
		r[name][s] = &figures{}
	}
	f, n := r[name][s], float64(y.Messages)
	f.rate = append(f.rate, n/y.Elapsed.Seconds())
	f.server = append(f.server, float64(y.CPU[0].Nanoseconds())/1000/n)
	f.store = append(f.store, float64(y.CPU[1].Nanoseconds())/1000/n)
	f.p50 = append(f.p50, float64(y.P50)/float64(time.Microsecond))
	f.p99 = append(f.p99, float64(y.P99)/float64(time.Microsecond))
}

func (r results) print(all []server, shapes []shape) {
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "\nclients × in flight\tserver\tmsg/s\tserver µs/msg\tRedis µs/msg\tp50 µs\tp99 µs\tspread of msg/s\t")
	for _, s := range shapes {
		for _, candidate := range all {
			f := r[candidate.name][s]
			fmt.Fprintf(out, "%s\t%s\t%.0f\t%.2f\t%.2f\t%.0f\t%.0f\t±%.0f%%\t\n", s, candidate.name,
				median(f.rate), median(f.server), median(f.store), median(f.p50), median(f.p99), spread(f.rate))
		}
	}
	out.Flush()
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}

// spread is half the way from the lowest to the highest, in percent of the median.
func spread(values []float64) float64 {
	return 50 * (slices.Max(values) - slices.Min(values)) / median(values)
}

// messageTargets are the promises that one run can check: as ratios, or in µs where the promise is absolute.
func messageTargets(r results) []target {
	ratio := func(s shape, to string, of func(*figures) []float64) float64 {
		return median(of(r["baton"][s])) / median(of(r[to][s]))
	}
	own := func(s shape, of func(*figures) []float64) float64 { return median(of(r["baton"][s])) }
	server := func(f *figures) []float64 { return f.server }
	store := func(f *figures) []float64 { return f.store }
	p50 := func(f *figures) []float64 { return f.p50 }
	rate := func(f *figures) []float64 { return f.rate }
	deep, broad, some, lone := shape{1000, 16}, shape{1000, 1}, shape{100, 1}, shape{1, 1}
	return []target{
		{"1000 × 16: server CPU, of plain's", ratio(deep, "plain", server), 0.1, ""},
		{"1000 × 16: Redis CPU, of plain's", ratio(deep, "plain", store), 0.1, ""},
		{"100 × 1: server CPU, of plain's", ratio(some, "plain", server), 0.7, ""},
		{"100 × 1: p50, of plain's", ratio(some, "plain", p50), 0.7, ""},
		{"1 × 1: server CPU, of plain's", ratio(lone, "plain", server), 1, ""},
		{"1 × 1: p50, of plain's", ratio(lone, "plain", p50), 1, ""},
		{"1000 × 16: rate without a store, of ours", 1 / ratio(deep, "no store", rate), 1.0 / 6, ""},
		{"1000 × 16: server CPU", own(deep, server), 1, " µs"},
		{"1000 × 16: Redis CPU", own(deep, store), 0.3, " µs"},
		{"100 × 1: server CPU, of no store's", ratio(some, "no store", server), 1, ""},
		{"1000 × 1: server CPU, of no store's", ratio(broad, "no store", server), 1, ""},
	}
}
