package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// maxBatch is how many commits one pipeline carries at most: enough to hide a
// round trip, few enough to answer the first while others wait. A pipeline that
// fails is halved, down to minBatch: a Redis too slow for a large one in time
// still takes a small one.
const (
	maxBatch = 1024
	minBatch = 16
)

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
	if err != nil && anyNoScript(part) {
		// A Redis that was restarted, or has become the master: the next try finds the script there.
		err = errors.Join(err, b.store.commit.Load(ctx, b.store.db).Err())
	}
	return err
}

func anyNoScript(part []waiting) bool {
	return slices.ContainsFunc(part, func(w waiting) bool { return isNoScript(w.answer.Err()) })
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
