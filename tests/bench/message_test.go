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

// figures are one server's under one shape, a value a round: messages a second, and µs.
type figures struct {
	Rate   []float64 `json:"rate"`
	Server []float64 `json:"server_us"`
	Store  []float64 `json:"redis_us"`
	P50    []float64 `json:"p50_us"`
	P99    []float64 `json:"p99_us"`
}

type results map[string]map[shape]*figures

// BenchmarkMessages compares the cost of a message, and says what the project promises of it.
func BenchmarkMessages(b *testing.B) {
	shapes := []shape{{1000, 16}, {1000, 1}, {100, 1}, {1, 1}}
	redis := harness.StartRedis(b, "--appendonly", "no")
	all := servers(b)
	able := here(all)
	found := results{}
	for round := range rounds() {
		for _, s := range shapes {
			for turn := range able {
				candidate := able[(turn+round)%len(able)]
				if !wanted(b, candidate.name, s) {
					continue
				}
				fmt.Fprintf(os.Stderr, "round %d of %d, %s, %s\n", round+1, rounds(), s, candidate.name)
				found.add(candidate.name, s, turnOf(b, candidate, redis, s))
			}
		}
	}
	found.print(all, shapes)
	targets := messageTargets(found)
	printTargets(targets)
	save(b, "messages", found.report(all, shapes, targets))
}

// turnOf starts a server anew, so that nobody inherits another round's memory, and loads it.
func turnOf(b *testing.B, candidate server, redis *harness.Redis, s shape) yield {
	b.Helper()
	r := candidate.start(b, redis.URL())
	defer r.kill()
	first, then := candidate.turn()
	return apply(b, order{
		Port: r.port, Clients: s.clients, InFlight: s.inFlight, Wire: candidate.wire,
		Warm: first, Measure: then, Groups: [][]int{r.pids(), {redis.Pid()}},
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
	f.Rate = append(f.Rate, n/y.Elapsed.Seconds())
	f.Server = append(f.Server, float64(y.CPU[0].Nanoseconds())/1000/n)
	f.Store = append(f.Store, float64(y.CPU[1].Nanoseconds())/1000/n)
	f.P50 = append(f.P50, float64(y.P50)/float64(time.Microsecond))
	f.P99 = append(f.P99, float64(y.P99)/float64(time.Microsecond))
}

func (r results) print(all []server, shapes []shape) {
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "\nclients × in flight\tserver\tmsg/s\tserver µs/msg\tRedis µs/msg\tp50 µs\tp99 µs\tspread of msg/s\t")
	for _, s := range shapes {
		for _, candidate := range all {
			f := r[candidate.name][s]
			if f == nil {
				fmt.Fprintf(out, "%s\t%s\tnot run\t\t\t\t\t\t\n", s, candidate.name)
				continue
			}
			fmt.Fprintf(out, "%s\t%s\t%.0f\t%.2f\t%.2f\t%.0f\t%.0f\t±%.0f%%\t\n", s, candidate.name,
				median(f.Rate), median(f.Server), median(f.Store), median(f.P50), median(f.P99), spread(f.Rate))
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

// messageTargets are the promises that one run can check: as ratios, or in µs where the promise is absolute. A peer that
// is not here promises nothing.
func messageTargets(r results) []target {
	deep, broad, some, lone := shape{1000, 16}, shape{1000, 1}, shape{100, 1}, shape{1, 1}
	server := func(f *figures) []float64 { return f.Server }
	store := func(f *figures) []float64 { return f.Store }
	rate := func(f *figures) []float64 { return f.Rate }
	p50 := func(f *figures) []float64 { return f.P50 }
	p99 := func(f *figures) []float64 { return f.P99 }
	of := func(s shape, what, peer string, pick func(*figures) []float64, bound float64, least bool) target {
		t := target{What: fmt.Sprintf("%s: %s, of %s", s, what, possessive(peer)), Bound: bound, Least: least}
		if ours, theirs := r["baton"][s], r[peer][s]; ours != nil && theirs != nil {
			t.Value, t.Spread = ratio(pick(ours), pick(theirs))
		}
		return t
	}
	own := func(s shape, what string, pick func(*figures) []float64, bound float64) target {
		t := target{What: fmt.Sprintf("%s: %s", s, what), Bound: bound, Unit: " µs"}
		if ours := r["baton"][s]; ours != nil {
			t.Value, t.Spread = median(pick(ours)), spread(pick(ours))
		}
		return t
	}
	return []target{
		of(deep, "messages a second", "no store", rate, 6, true),
		of(deep, "messages a second", "node", rate, 20, true),
		of(deep, "messages a second", "django", rate, 100, true),
		own(deep, "server CPU", server, 1),
		own(deep, "Redis CPU", store, 0.3),
		of(some, "server CPU", "no store", server, 1, false),
		of(broad, "server CPU", "no store", server, 1, false),
		of(some, "p50", "node", p50, 1, false),
		of(broad, "p50", "node", p50, 1, false),
		of(some, "p99", "node", p99, 0.6, false),
		of(broad, "p99", "node", p99, 0.6, false),
		of(lone, "server CPU", "plain", server, 1, false),
		of(lone, "p50", "plain", p50, 1, false),
		of(some, "server CPU", "plain", server, 0.7, false),
		of(deep, "server CPU", "plain", server, 0.1, false),
	}
}

func possessive(name string) string {
	if name == "no store" {
		return "Fiber echo's"
	}
	return name + "'s"
}

// ratio is the median of the rounds' own ratios, and its spread: what disturbed a round disturbed both.
func ratio(ours, theirs []float64) (middle, around float64) {
	all := make([]float64, len(ours))
	for i := range ours {
		all[i] = ours[i] / theirs[i]
	}
	return median(all), spread(all)
}
