// Package session keeps counts in Redis: a connection claims a session, then
// commits its counts in groups, fenced by its token.
package session

import (
	"errors"
	"sync"
	"time"
)

// ErrFenced ends a commit whose session another connection has taken over.
var ErrFenced = errors.New("session: resumed elsewhere")

// Commit is a count to be stored for its owner. Count is absolute, so the same
// commit may be sent any number of times.
type Commit struct {
	Owner
	Count    uint64
	Live     bool      // the connection is there: only then may a lost session be repaired
	Fresh    bool      // its time to live was renewed so lately that it need not be, among many
	Deadline time.Time // after it the commit has failed
}

// Entry is a connection in the committer's queue.
type Entry interface {
	// Commit tells what to store, when its turn has come; false: nothing any more.
	Commit() (Commit, bool)
	// Committed tells how it ended: nil, ErrFenced or ErrUnavailable.
	Committed(err error)
}

// Observer is told of every pipeline: how many commits it carried, how long it
// took, how often the one tried most has been tried, and why it failed.
type Observer interface {
	ObserveBatch(size int, took time.Duration, attempts int, err error)
}

// A group is sent by whoever gathered it, without a hand-over, when nothing else
// is on its way and Redis has just answered a pipeline within promptTime. It waits
// for impatience at most: then the committer's own goroutine goes on with it.
const (
	promptTime = time.Millisecond
	impatience = 50 * time.Millisecond
)

// Committer is the group commit: what was queued while the last pipeline was on
// its way is the next one.
type Committer struct {
	store *Store
	wake  chan struct{}
	done  sync.WaitGroup

	mu     sync.Mutex
	queue  []Entry
	spare  []Entry   // the queue that Flush emptied last
	left   []waiting // what Flush could not bring to an end
	busy   bool      // a pipeline is on its way
	prompt bool      // the last one was answered promptly
	ended  bool

	grouped *batch // the goroutine's
	direct  *batch // Flush's, while it holds busy
}

// NewCommitter starts a committer.
func (s *Store) NewCommitter(observer Observer) *Committer {
	c := &Committer{store: s, wake: make(chan struct{}, 1), grouped: newBatch(s, observer), direct: newBatch(s, observer)}
	c.direct.patience = min(impatience, s.attempt)
	c.done.Go(c.run)
	return c
}

// Add queues an entry. An entry must not be queued again before it was told
// Committed, or refused with false: the committer has been closed.
func (c *Committer) Add(e Entry) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.enqueue(e) {
		return false
	}
	if len(c.queue) == 1 && !c.busy {
		c.signal()
	}
	return true
}

// Gather is Add for a caller who will call Flush when it has gathered what there is.
func (c *Committer) Gather(e Entry) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.enqueue(e)
}

func (c *Committer) enqueue(e Entry) bool {
	if !c.ended {
		c.queue = append(c.queue, e)
	}
	return !c.ended
}

// Flush sends what is queued, from here if Redis is likely to answer at once. The
// caller must not hold what the entries' methods need.
func (c *Committer) Flush() {
	entries := c.takeDirect()
	if len(entries) == 0 {
		return
	}
	for _, e := range entries {
		c.direct.join(e)
	}
	clear(entries)
	c.direct.send()
	c.settled(c.direct)
}

// HandOver has the committer's goroutine send what is queued.
func (c *Committer) HandOver() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) > 0 && !c.busy {
		c.signal()
	}
}

// takeDirect begins a pipeline with what is queued; nothing: there is none to begin,
// or it is the goroutine's.
func (c *Committer) takeDirect() []Entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 || c.busy {
		return nil
	}
	if !c.prompt || c.ended {
		c.signal()
		return nil
	}
	entries := c.queue
	c.queue, c.spare = c.spare[:0], entries
	c.busy = true
	return entries
}

// settled ends a pipeline: what was queued or left meanwhile is the next.
func (c *Committer) settled(b *batch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.prompt = b.empty() && b.took < promptTime
	c.busy = false
	if b == c.direct {
		c.left = append(c.left, b.waiting...)
		b.waiting, b.pause = b.waiting[:0], 0 // the goroutine tries again, not a caller
	}
	if c.ended || len(c.queue)+len(c.left) > 0 || !b.empty() {
		c.signal()
	}
}

// Close sends what is queued, once, and ends: nobody waits for an answer any more.
func (c *Committer) Close() {
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	c.signal()
	c.done.Wait()
}

func (c *Committer) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *Committer) run() {
	var entries []Entry
	for {
		<-c.wake
		var ended, begun bool
		entries, ended, begun = c.take(entries[:0])
		if begun {
			for _, e := range entries {
				c.grouped.join(e)
			}
			clear(entries)
			c.grouped.send()
			if ended {
				c.grouped.giveUp()
			}
			c.settled(c.grouped)
		} else if ended {
			return
		}
	}
}

// take swaps the queue for an empty one and begins a pipeline, unless one is on
// its way or there is nothing to send.
func (c *Committer) take(spare []Entry) (entries []Entry, ended, begun bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy || len(c.queue)+len(c.left)+len(c.grouped.waiting) == 0 {
		return spare, c.ended && !c.busy, false
	}
	entries, c.queue = c.queue, spare
	c.grouped.waiting = append(c.grouped.waiting, c.left...)
	c.left, c.busy = nil, true
	return entries, c.ended, true
}
