// Package session keeps counts in Redis: a connection claims a session, then
// commits its counts in groups, fenced by its token.
package session

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrFenced ends a commit whose session another connection has taken over.
var ErrFenced = errors.New("session: resumed elsewhere")

// maxBatch is how many commits one pipeline carries at most: enough to hide a
// round trip, few enough to answer the first while others wait. A pipeline that
// fails is halved, down to minBatch: a Redis too slow for a large one in time
// still takes a small one.
const (
	maxBatch = 1024
	minBatch = 16
)

// Commit is a count to be stored for its owner. Count is absolute, so the same
// commit may be sent any number of times.
type Commit struct {
	Owner
	Count    uint64
	Live     bool      // the connection is there: only then may a lost session be repaired
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

// A commit is sent by whoever brings it, without a hand-over, when nothing else
// is on its way and Redis has just answered a pipeline within promptly. It waits
// for impatience at most: then the committer's own goroutine goes on with it.
const (
	promptly   = time.Millisecond
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
	left   []waiting // what SendOrAdd could not bring to an end
	busy   bool      // a pipeline is on its way
	prompt bool      // the last one was answered promptly
	ended  bool

	grouped *batch // the goroutine's
	single  *batch // SendOrAdd's, while it holds busy
}

// NewCommitter starts a committer.
func (s *Store) NewCommitter(observer Observer) *Committer {
	c := &Committer{store: s, wake: make(chan struct{}, 1), grouped: newBatch(s, observer), single: newBatch(s, observer)}
	c.single.patience = min(impatience, s.attempt)
	c.done.Go(c.run)
	return c
}

// Add queues an entry. An entry must not be queued again before it was told
// Committed, or refused with false: the committer has been closed.
func (c *Committer) Add(e Entry) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return false
	}
	c.queue = append(c.queue, e)
	if len(c.queue) == 1 && !c.busy {
		c.signal()
	}
	return true
}

// SendOrAdd sends the entry from here if it would be alone, and queues it
// otherwise. The caller must not hold what the entry's methods need.
func (c *Committer) SendOrAdd(e Entry) bool {
	c.mu.Lock()
	alone := c.prompt && !c.busy && !c.ended && len(c.queue) == 0
	c.busy = c.busy || alone
	c.mu.Unlock()
	if !alone {
		return c.Add(e)
	}
	c.single.join(e)
	c.single.send()
	c.settled(c.single)
	return true
}

// settled ends a pipeline: what was queued or left meanwhile is the next.
func (c *Committer) settled(b *batch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.prompt = b.empty() && b.took < promptly
	c.busy = false
	if b == c.single {
		c.left = append(c.left, b.waiting...)
		b.waiting = b.waiting[:0]
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

// batch is what a committer has taken and not yet brought to an end.
type batch struct {
	store    *Store
	observer Observer
	waiting  []waiting
	patience time.Duration // for one try
	pause    time.Duration // before the next try; 0 after a success
	took     time.Duration // by the last pipeline
	limit    int           // of one pipeline, minBatch to maxBatch
}

type waiting struct {
	entry  Entry
	commit Commit
	answer *redis.Cmd // nil: not sent in this try
	tries  int
}

func newBatch(store *Store, observer Observer) *batch {
	return &batch{store: store, observer: observer, limit: maxBatch, patience: store.attempt}
}

func (b *batch) empty() bool { return len(b.waiting) == 0 }

func (b *batch) join(e Entry) {
	if commit, ok := e.Commit(); ok {
		b.waiting = append(b.waiting, waiting{entry: e, commit: commit})
	}
}

// send tries everything once. What Redis did not answer stays for the next
// try, together with what was queued meanwhile, until its deadline.
func (b *batch) send() {
	if b.pause > 0 {
		time.Sleep(b.pause)
	}
	all, kept := b.waiting, b.waiting[:0]
	away := false
	for len(all) > 0 {
		part := all[:min(len(all), max(b.limit, minBatch))]
		all = all[len(part):]
		if !away {
			away = b.pipeline(part) != nil
			b.adapt(away)
		}
		kept = b.settle(part, kept)
	}
	clear(b.waiting[len(kept):])
	b.waiting = kept
	b.pause = nextPause(b.pause, len(kept) > 0)
}

func (b *batch) adapt(failed bool) {
	if failed {
		b.limit /= 2
	} else {
		b.limit = min(max(2*b.limit, minBatch), maxBatch)
	}
}

func nextPause(pause time.Duration, failing bool) time.Duration {
	if !failing {
		return 0
	}
	return min(max(2*pause, firstRetryPause), lastRetryPause)
}

// giveUp fails what is left.
func (b *batch) giveUp() {
	for _, w := range b.waiting {
		w.entry.Committed(fmt.Errorf("%w: %w", ErrUnavailable, w.outcome()))
	}
	b.waiting = nil
}

// pipeline sends a part and waits for its answers, no longer than the first
// deadline in it and no longer than one try may take.
func (b *batch) pipeline(part []waiting) error {
	ctx, cancel := context.WithTimeout(context.Background(), b.wait(part))
	defer cancel()
	began := time.Now()
	pipe := b.store.db.Pipeline()
	attempts := 0
	for i := range part {
		c := &part[i].commit
		part[i].tries++
		attempts = max(attempts, part[i].tries)
		part[i].answer = pipe.EvalSha(ctx, b.store.commit.Hash(), []string{key(c.Session)},
			c.Token, strconv.FormatUint(c.Count, 10), c.Attempt, b.store.ttl, flag(c.Live))
	}
	_, err := pipe.Exec(ctx)
	b.took = time.Since(began)
	b.observer.ObserveBatch(len(part), b.took, attempts, err)
	if isNoScript(err) {
		// A Redis that was restarted: the next try finds the script there.
		err = errors.Join(err, b.store.commit.Load(ctx, b.store.db).Err())
	}
	return err
}

// flag is a bool as the scripts take it.
func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// wait is how long a part's answers are waited for.
func (b *batch) wait(part []waiting) time.Duration {
	wait := b.store.attempt
	for i := range part {
		wait = min(wait, time.Until(part[i].commit.Deadline))
	}
	return min(max(wait, minAttempt/2), b.patience)
}

// settle tells each entry how its commit ended, and appends to kept those that
// are to be tried again.
func (b *batch) settle(part, kept []waiting) []waiting {
	now := time.Now()
	for _, w := range part {
		switch err := w.outcome(); {
		case err == nil, errors.Is(err, ErrFenced):
			w.entry.Committed(err)
		case now.After(w.commit.Deadline):
			w.entry.Committed(fmt.Errorf("%w: commit: %w", ErrUnavailable, err))
		default:
			w.answer = nil
			kept = append(kept, w)
		}
	}
	return kept
}

var errNotSent = errors.New("not sent: the commits before it were not answered")

func (w waiting) outcome() error {
	if w.answer == nil {
		return errNotSent
	}
	stored, err := w.answer.Int64()
	if err == nil && stored == 0 {
		return ErrFenced
	}
	return err
}
