package faults

import "fmt"

// kind is what a client saw or did.
type kind int

const (
	opened  kind = iota // a connection was taken; n is the count that it was told, or unknown
	sent                // message number n went out
	replied             // the server said count n
	drained             // the server closed 1001: nothing that it has counted is still owed
)

// span is how far apart the counts of two sessions are, where sessions begin apart: a stranger's count then shows.
const span = 1 << 20

// unknown is the count of a plain client's new connection, which is told nothing.
const unknown = -1

// event is one step of a session's life, in the order its client saw it.
type event struct {
	kind kind
	n    int
}

// history is what one session's client saw over all its connections, one after the other.
//
// A client of baton.v1 numbers its messages and sends again, under the same number, what a session message says is not
// counted. A plain client gives every message a new number.
type history []event

// check says what is wrong with a history: nothing may be lost, counted twice or out of order.
func (h history) check() []string {
	c := newChecker(0)
	var wrong []string
	for _, e := range h {
		wrong = append(wrong, c.take(e)...)
	}
	return wrong
}

// checker follows one history, an event at a time.
type checker struct {
	wrong    []string
	acked    int // the highest count ever told
	highest  int // the highest message ever sent
	before   int // the highest message sent before this connection
	base     int // the last count of this connection, unknown before its first reply
	asked    int // messages sent on this connection
	answered int // replies on this connection
	settled  int // the last count of a connection that was drained, until the next one; else unknown
	first    int // the session's count before anything was sent
}

func newChecker(first int) *checker {
	return &checker{first: first, acked: first, highest: first, base: unknown, settled: unknown}
}

// take notes an event and says what is wrong with it.
func (c *checker) take(e event) []string {
	c.wrong = nil
	switch e.kind {
	case opened:
		c.open(e.n)
	case sent:
		c.asked++
		c.highest = max(c.highest, e.n)
	case replied:
		c.reply(e.n)
	case drained:
		c.settled = c.base
	}
	return c.wrong
}

func (c *checker) open(count int) {
	c.base, c.asked, c.answered, c.before = count, 0, 0, c.highest
	if count != unknown {
		c.bound(count)
	}
}

func (c *checker) reply(count int) {
	if c.base == unknown {
		c.bound(count - 1)
		c.base = count - 1
	}
	if c.answered++; c.answered > c.asked {
		c.blame("duplicated: reply %d answers no message", count)
	}
	switch {
	case count > c.base+1:
		c.blame("lost: reply %d follows %d", count, c.base)
	case count < c.base+1:
		c.blame("reordered: reply %d follows %d", count, c.base)
	}
	c.base = count
	c.acked = max(c.acked, count)
}

// bound checks where a connection takes up: not below what was acknowledged, not above what was ever sent.
func (c *checker) bound(count int) {
	defer func() { c.settled = unknown }()
	if count < c.first || count >= c.first+span {
		c.blame("foreign: a connection takes up at %d, the session is between %d and %d", count, c.first, c.first+span)
		return
	}
	if c.settled != unknown && count > c.settled {
		c.blame("unanswered: drained at %d, but %d was counted", c.settled, count)
	}
	if count < c.acked {
		c.blame("lost: a connection takes up at %d, %d was acknowledged", count, c.acked)
	}
	if count > c.before {
		c.blame("duplicated: a connection takes up at %d, only %d were sent", count, c.before)
	}
}

func (c *checker) blame(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
}
