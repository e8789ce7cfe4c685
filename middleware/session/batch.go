package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	args     []any         // of a pipeline's scripts, used again and again
	calls    []*redis.Cmd  // a pipeline's scripts
}

type waiting struct {
	entry  Entry
	commit Commit
	key    string
	err    error // how the last try ended
	tries  int
}

func newBatch(store *Store, observer Observer) *batch {
	return &batch{store: store, observer: observer, limit: maxBatch, patience: store.attempt}
}

func (b *batch) empty() bool { return len(b.waiting) == 0 }

func (b *batch) join(e Entry) {
	if commit, ok := e.Commit(); ok {
		b.waiting = append(b.waiting, waiting{entry: e, commit: commit, key: key(commit.Session)})
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
		if away {
			notSent(part)
		} else {
			away = b.pipeline(part) != nil
			b.adapt(away)
		}
		kept = b.settle(part, kept)
	}
	clear(b.waiting[len(kept):])
	b.waiting = kept
	b.pause = nextPause(b.pause, len(kept) > 0)
}

func notSent(part []waiting) {
	for i := range part {
		part[i].err = errNotSent
	}
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
		w.entry.Committed(fmt.Errorf("%w: %w", ErrUnavailable, w.err))
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
	b.args, b.calls = slices.Grow(b.args[:0], argsOf(len(part), b.store.perScript)), b.calls[:0]
	attempts := 0
	for group := range slices.Chunk(part, b.store.perScript) {
		call := redis.NewCmd(ctx, b.arguments(group)...)
		_ = pipe.Process(ctx, call) // queues it; Exec tells
		b.calls = append(b.calls, call)
		for i := range group {
			group[i].tries++
			attempts = max(attempts, group[i].tries)
		}
	}
	_, err := pipe.Exec(ctx)
	b.took = time.Since(began)
	b.observer.ObserveBatch(len(part), b.took, attempts, err)
	if b.answered(part) {
		// A Redis that was restarted, or has become the master: the next try finds the script there.
		err = errors.Join(err, b.store.commit.Load(ctx, b.store.db).Err())
	}
	return err
}

// Arguments of the script: a head, and some for each session.
const (
	headArgs    = 4 // EVALSHA, hash, number of keys, TTL
	sessionArgs = 5 // key, owner, count, attempt, life
)

func argsOf(sessions, perScript int) int {
	return sessions*sessionArgs + (sessions+perScript-1)/perScript*headArgs
}

// arguments of the script for one group, where pipeline made room for them. What
// is pointed to, the client reads when it writes: nothing is copied for it.
func (b *batch) arguments(group []waiting) []any {
	from := len(b.args)
	b.args = append(b.args, "evalsha", b.store.commit.Hash(), len(group))
	for i := range group {
		b.args = append(b.args, &group[i].key)
	}
	b.args = append(b.args, &b.store.ttl)
	for i := range group {
		c := &group[i].commit
		b.args = append(b.args, &c.Token, &c.Count, &c.Attempt, c.life(len(group) >= crowd))
	}
	return b.args[from:]
}

// crowd is from how many commits in one script on a fresh session's life is left alone: the time that takes matters
// where there are many.
const crowd = 8

// life is how the script is told of the session's life; a constant in any costs no allocation.
func (c *Commit) life(crowded bool) any {
	switch {
	case !c.Live:
		return lifeEnded
	case c.Fresh && crowded:
		return lifeFresh
	default:
		return lifeRenewed
	}
}

// answered notes how each commit ended, and tells whether a Redis lacks the script.
func (b *batch) answered(part []waiting) (noScript bool) {
	for n, call := range b.calls {
		group := part[n*b.store.perScript : min((n+1)*b.store.perScript, len(part))]
		refused, err := call.Slice()
		for i := range group {
			group[i].err = err
		}
		noScript = noScript || isNoScript(err)
		for ; len(refused) >= 2; refused = refused[2:] {
			number, _ := refused[0].(int64)
			reason, _ := refused[1].(string)
			group[number-1].err = refusedCommit(reason)
		}
	}
	return noScript
}

func refusedCommit(reason string) error {
	if reason == fencedReply {
		return ErrFenced
	}
	return fmt.Errorf("%w: %s", errBroken, reason)
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
		switch {
		case w.err == nil, errors.Is(w.err, ErrFenced):
			w.entry.Committed(w.err)
		case errors.Is(w.err, errBroken), now.After(w.commit.Deadline):
			w.entry.Committed(fmt.Errorf("%w: commit: %w", ErrUnavailable, w.err))
		default:
			kept = append(kept, w)
		}
	}
	return kept
}

var (
	errNotSent = errors.New("not sent: the commits before it were not answered")
	// errBroken is what no try can mend: something else has been written under the session's key.
	errBroken = errors.New("session broken in the store")
)
