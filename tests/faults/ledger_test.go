package faults

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ledger keeps what clients saw, by the fault under which they saw it.
type ledger struct {
	began   time.Time
	entries map[string]*entry
	now     atomic.Pointer[entry]
	acked   atomic.Int64 // by all clients, over everything

	mu    sync.Mutex
	found []finding
}

// entry is a row of the table.
type entry struct {
	name     string
	injected int
	sent     atomic.Int64
	acked    atomic.Int64
	outage   atomic.Int64 // ns, the longest between two replies of a client

	mu    sync.Mutex
	wrong map[string]int // complaints, by their kind
}

// finding is one complaint, and when it was made.
type finding struct {
	text  string
	after time.Duration
	acked int64 // by all clients, until then
}

func newLedger() *ledger {
	l := &ledger{began: time.Now(), entries: map[string]*entry{}}
	l.enter("before and after the faults")
	return l
}

// enter begins a fault's row, or goes on with it.
func (l *ledger) enter(name string) *entry {
	e := l.entries[name]
	if e == nil {
		e = &entry{name: name, wrong: map[string]int{}}
		l.entries[name] = e
	}
	l.now.Store(e)
	return e
}

// blame notes a complaint, "kind: sentence", about a session.
func (l *ledger) blame(session, complaint string) {
	e := l.now.Load()
	kind, _, _ := strings.Cut(complaint, ":")
	e.mu.Lock()
	e.wrong[kind]++
	e.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.found = append(l.found, finding{fmt.Sprintf("%s (under %q, session %s)", complaint, e.name, session), time.Since(l.began), l.acked.Load()})
}

func (l *ledger) findings() []finding {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.found)
}

// gap notes how long a client went without a reply.
func (e *entry) gap(d time.Duration) {
	for old := e.outage.Load(); int64(d) > old; old = e.outage.Load() {
		if e.outage.CompareAndSwap(old, int64(d)) {
			return
		}
	}
}

// table is the ledger for the documentation.
func (l *ledger) table() string {
	rows := []string{
		"| fault | injected | sent | acknowledged | lost | duplicated | out of order | foreign | longest outage |",
		"|---|---|---|---|---|---|---|---|---|",
	}
	total := entry{name: "**all of them**", wrong: map[string]int{}}
	for _, name := range slices.Sorted(maps.Keys(l.entries)) {
		e := l.entries[name]
		rows = append(rows, e.row())
		total.injected += e.injected
		total.sent.Add(e.sent.Load())
		total.acked.Add(e.acked.Load())
		total.gap(time.Duration(e.outage.Load()))
		for kind, n := range e.wrong {
			total.wrong[kind] += n
		}
	}
	return strings.Join(append(rows, total.row()), "\n")
}

func (e *entry) row() string {
	return fmt.Sprintf("| %s | %d | %d | %d | %d | %d | %d | %d | %.2f s |", e.name, e.injected, e.sent.Load(), e.acked.Load(),
		e.wrong["lost"]+e.wrong["unanswered"], e.wrong["duplicated"], e.wrong["reordered"], e.wrong["foreign"], time.Duration(e.outage.Load()).Seconds())
}
