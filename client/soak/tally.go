package soak

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"baton/client/wire"
)

const problemsKept = 20 // different ones

// tally adds up what all participants see.
type tally struct {
	mu        sync.Mutex
	started   time.Time
	phase     string
	clients   int // that ever had a session
	open      int
	counts    Report // its sums
	skips     int
	gaps      histogram
	latencies histogram
	problems  map[string]int
}

func newTally() *tally {
	return &tally{started: time.Now(), problems: map[string]int{}}
}

func (t *tally) enter(phase string)      { t.with(func() { t.phase = phase }) }
func (t *tally) joined()                 { t.with(func() { t.clients++ }) }
func (t *tally) connected(n int)         { t.with(func() { t.open += n }) }
func (t *tally) sent(n uint64)           { t.with(func() { t.counts.Sent += n }) }
func (t *tally) skipped()                { t.with(func() { t.skips++ }) }
func (t *tally) acknowledged(n uint64)   { t.with(func() { t.counts.Acknowledged += n }) }
func (t *tally) lost(n uint64)           { t.with(func() { t.counts.Lost += n }) }
func (t *tally) duplicated(n uint64)     { t.with(func() { t.counts.Duplicated += n }) }
func (t *tally) reordered(n uint64)      { t.with(func() { t.counts.Reordered += n }) }
func (t *tally) latency(d time.Duration) { t.with(func() { t.latencies.add(d) }) }

// reconnected takes a connection that took the place of another.
func (t *tally) reconnected(gap time.Duration, handover bool) {
	t.with(func() {
		t.counts.Reconnects++
		if handover {
			t.counts.Handovers++
		}
		t.gaps.add(gap)
	})
}

// refused takes an attempt to connect that came to nothing.
func (t *tally) refused(err error) {
	t.with(func() { t.counts.Refused++ })
	t.problem("connect", err)
}

// problem keeps what went wrong, for people.
func (t *tally) problem(doing string, err error) {
	text := doing + ": " + wire.Describe(err)
	t.with(func() {
		if _, known := t.problems[text]; known || len(t.problems) < problemsKept {
			t.problems[text]++
		}
	})
}

// line says how things stand.
func (t *tally) line() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.counts
	return fmt.Sprintf("%4.0fs %s: %d connected, %d sent, %d acknowledged, %d lost, %d duplicated, %d reordered, %d reconnects, %d refused",
		time.Since(t.started).Seconds(), t.phase, t.open, c.Sent, c.Acknowledged, c.Lost, c.Duplicated, c.Reordered, c.Reconnects, c.Refused)
}

// report is the sum of it all.
func (t *tally) report(unverified int) Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.counts
	r.Clients = t.clients
	r.GapMS, r.AckMS = t.gaps.quantiles(), t.latencies.quantiles()
	r.Skipped, r.Unverified = t.skips, unverified
	return r
}

// explain writes the problems, the most frequent first.
func (t *tally) explain(w io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	texts := slices.SortedFunc(maps.Keys(t.problems), func(a, b string) int { return t.problems[b] - t.problems[a] })
	for _, text := range texts {
		_, _ = fmt.Fprintf(w, "%6d × %s\n", t.problems[text], text)
	}
}

func (t *tally) with(change func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change()
}
