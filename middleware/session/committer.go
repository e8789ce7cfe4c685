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

// Observer is told of every pipeline.
type Observer interface {
	ObserveBatch(size int, took time.Duration)
}

// Committer is the group commit: what was queued while the last pipeline was on
// its way is the next one.
type Committer struct {
	store    *Store
	observer Observer

	mu    sync.Mutex
	queue []Entry
	wake  chan struct{}
	ended bool
	done  sync.WaitGroup
}

// NewCommitter starts a committer.
func (s *Store) NewCommitter(observer Observer) *Committer {
	c := &Committer{store: s, observer: observer, wake: make(chan struct{}, 1)}
	c.done.Go(c.run)
	return c
}

// Add queues an entry. An entry must not be queued again before it was told
// Committed, or refused with false: the committer has been closed.
func (c *Committer) Add(e Entry) bool {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return false
	}
	first := len(c.queue) == 0
	c.queue = append(c.queue, e)
	c.mu.Unlock()
	if first {
		c.signal()
	}
	return true
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
	var spare []Entry
	batch := newBatch(c.store, c.observer)
	for {
		<-c.wake
		for {
			entries, ended := c.take(spare)
			spare = entries[:0] // for the next take; entries are joined before that
			if len(entries) == 0 && batch.empty() {
				if ended {
					return
				}
				break
			}
			batch.join(entries)
			clear(entries)
			batch.send()
			if ended {
				batch.giveUp()
			}
		}
	}
}

// take swaps the queue for an empty one.
func (c *Committer) take(spare []Entry) ([]Entry, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entries := c.queue
	c.queue = spare
	return entries, c.ended
}

// batch is what a committer has taken and not yet brought to an end.
type batch struct {
	store    *Store
	observer Observer
	waiting  []waiting
	pause    time.Duration // before the next try; 0 after a success
	limit    int           // of one pipeline, minBatch to maxBatch
}

type waiting struct {
	entry  Entry
	commit Commit
	answer *redis.Cmd // nil: not sent in this try
}

func newBatch(store *Store, observer Observer) *batch {
	return &batch{store: store, observer: observer, limit: maxBatch}
}

func (b *batch) empty() bool { return len(b.waiting) == 0 }

func (b *batch) join(entries []Entry) {
	for _, e := range entries {
		if commit, ok := e.Commit(); ok {
			b.waiting = append(b.waiting, waiting{entry: e, commit: commit})
		}
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
	ctx, cancel := context.WithTimeout(context.Background(), b.patience(part))
	defer cancel()
	began := time.Now()
	pipe := b.store.db.Pipeline()
	for i := range part {
		c := &part[i].commit
		part[i].answer = pipe.EvalSha(ctx, b.store.commit.Hash(), []string{key(c.Session)},
			c.Token, strconv.FormatUint(c.Count, 10), c.Attempt, b.store.ttl, flag(c.Live))
	}
	_, err := pipe.Exec(ctx)
	b.observer.ObserveBatch(len(part), time.Since(began))
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

func (b *batch) patience(part []waiting) time.Duration {
	patience := b.store.attempt
	for i := range part {
		patience = min(patience, time.Until(part[i].commit.Deadline))
	}
	return max(patience, minAttempt/2)
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
