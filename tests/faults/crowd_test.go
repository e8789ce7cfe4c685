package faults

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton/tests/harness"

	"github.com/google/uuid"
)

const (
	progress       = 10               // replies that a client has to get after a fault, to have seen that it is over
	progressWithin = 40 * time.Second // longer than a client's longest wait for an answer
)

// crowd is many walkers, half of them plain clients.
type crowd struct {
	addr    string
	walkers []*walker
	ledger  *ledger
	running sync.WaitGroup
	skew    atomic.Int64 // µs that the clients' clocks are off
	steady  atomic.Bool  // nobody gives a connection up by itself
	stop    atomic.Bool
	abandon atomic.Bool // what is owed will not come any more
}

// startCrowd starts so many clients of each kind. Each session's count begins far from all others'.
func startCrowd(c *cluster, each int) *crowd {
	crowd := &crowd{addr: c.front.Addr, ledger: newLedger()}
	for i := range 2 * each {
		first := (i + 1) * span
		w := &walker{crowd: crowd, session: uuid.NewString(), v1: i%2 == 0, checker: newChecker(first), sent: first, acked: first}
		c.redis.Do("HSET", harness.Key(w.session), "count", strconv.Itoa(first))
		crowd.walkers = append(crowd.walkers, w)
		crowd.running.Go(w.walk)
	}
	c.crowd = crowd
	c.t.Cleanup(func() { // Redis may have ended before
		crowd.stop.Store(true)
		crowd.abandon.Store(true)
		crowd.running.Wait()
	})
	return crowd
}

// suffer lets a fault happen to the crowd, and waits until everybody has seen that it is over.
func (c *crowd) suffer(cluster *cluster, f fault) {
	if f.steady {
		c.settle(cluster.t)
		defer c.steady.Store(false)
	}
	row := c.ledger.enter(f.name)
	row.injected++
	f.happen(cluster)
	c.waitProgress(cluster.t)
}

// settle waits until everybody is connected and stays so.
func (c *crowd) settle(t *testing.T) {
	t.Helper()
	c.steady.Store(true)
	c.each(t, "everybody is connected", func(w *walker) bool { return w.calm.Load() })
}

// waitProgress waits until every client has had a few more replies.
func (c *crowd) waitProgress(t *testing.T) {
	t.Helper()
	before := map[*walker]int64{}
	for _, w := range c.walkers {
		before[w] = w.replies.Load()
	}
	c.each(t, "every client goes on", func(w *walker) bool { return w.replies.Load() >= before[w]+progress })
}

// each waits until something holds for every client; a complaint ends the wait, since its client may have ended too.
func (c *crowd) each(t *testing.T, what string, holds func(w *walker) bool) {
	t.Helper()
	for deadline := time.Now().Add(progressWithin); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		waiting := 0
		for _, w := range c.walkers {
			if !holds(w) {
				waiting++
			}
		}
		if waiting == 0 || len(c.ledger.findings()) > 0 {
			return
		}
	}
	c.ledger.blame("of several", "lost: not within "+progressWithin.String()+": "+what)
}

// finish waits until everybody has stopped. Where something was found, what is still owed may never come.
func (c *crowd) finish() {
	if len(c.ledger.findings()) > 0 {
		c.abandon.Store(true)
	}
	c.stop.Store(true)
	c.running.Wait()
}

// audit holds what Redis has against what was sent and acknowledged, when everybody has stopped.
func (c *crowd) audit(redis *harness.Redis) {
	c.ledger.enter("at the end")
	for _, w := range c.walkers {
		count, _ := strconv.Atoi(redis.Field(w.session, "count"))
		switch {
		case w.replies.Load() == 0:
			c.ledger.blame(w.session, "lost: nothing was acknowledged")
		case count < w.acked || w.v1 && count < w.sent:
			c.ledger.blame(w.session, fmt.Sprintf("lost: Redis counts %d; %d sent, %d acknowledged", count, w.sent, w.acked))
		case count > w.sent:
			c.ledger.blame(w.session, fmt.Sprintf("duplicated: Redis counts %d; %d sent", count, w.sent))
		}
	}
}

// report fails the test for what was found.
func (c *crowd) report(t *testing.T) {
	t.Helper()
	const most = 10
	found := c.ledger.findings()
	for _, f := range found[:min(len(found), most)] {
		t.Errorf("%s, after %v", f.text, f.after)
	}
	t.Logf("%d sessions, %d acknowledged in %v, %d complaints", len(c.walkers), c.ledger.acked.Load(), time.Since(c.ledger.began), len(found))
}
