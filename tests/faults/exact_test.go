package faults

import (
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"baton/tests/harness"

	"github.com/google/uuid"
)

// Clients written from the contract alone hop over two processes through every fault, and their histories are exact.
func TestHistoriesAreExactThroughEveryFault(t *testing.T) {
	if testing.Short() {
		t.Skip("takes about 30 seconds")
	}
	c := startCluster(t)
	const each = 40
	crowd := startCrowd(t, c.balancer.Addr, each)
	for _, f := range schedule(t) {
		t.Logf("%s, at %d acknowledged", f.name, crowd.total.Load())
		f.happen(c)
		crowd.waitProgress(t)
	}
	crowd.finish()
	reconnects := 0
	for _, w := range crowd.walkers {
		for _, complaint := range w.complaints(c) {
			t.Errorf("%s (baton.v1 %v): %s", w.session, w.v1, complaint)
		}
		for _, e := range w.history {
			if e.kind == opened {
				reconnects++
			}
		}
	}
	t.Logf("%d sessions, %d acknowledged, %d reconnects", 2*each, crowd.total.Load(), reconnects-2*each)
}

// `baton soak` says the same of 200 clients.
func TestSoakLosesNothingThroughEveryFault(t *testing.T) {
	if testing.Short() {
		t.Skip("takes about 45 seconds")
	}
	c := startCluster(t)
	soak := harness.Run(t, harness.Command{Path: harness.Binary(t), Args: []string{
		"soak", "--url", "ws://" + c.balancer.Addr + "/ws/chat/", "--clients", "200", "--rate", "5", "--duration", "40s", "--json",
	}})
	for _, f := range faultsInTurn() {
		if !soak.Alive() {
			t.Fatalf("soak ended before %q", f.name)
		}
		t.Log(f.name)
		f.happen(c)
		c.waitMessages(1000)
	}
	code := soak.Exit(t, 2*time.Minute)
	var report struct {
		Clients, Sent, Acknowledged, Lost, Duplicated, Reordered, Reconnects int
	}
	if err := json.Unmarshal([]byte(soak.Stdout()), &report); err != nil {
		t.Fatalf("%v: %s", err, soak.Stdout())
	}
	t.Logf("%s", soak.Stdout())
	if code != 0 || report.Lost+report.Duplicated+report.Reordered != 0 || report.Clients != 200 {
		t.Errorf("exit code %d, %+v", code, report)
	}
	if report.Acknowledged < 5000 || report.Reconnects < 200 {
		t.Errorf("too little happened: %+v", report)
	}
}

// complaints are everything that is wrong with a walk, its history and what Redis holds of it.
func (w *walker) complaints(c *cluster) []string {
	all := w.history.check()
	if w.failure != nil {
		all = append(all, w.failure.Error())
	}
	acked := w.history.acknowledged()
	if acked == 0 {
		all = append(all, "nothing was acknowledged")
	}
	count, _ := strconv.Atoi(c.redis.Field(w.session, "count"))
	if w.v1 && count != w.sent || count < acked || count > w.sent {
		all = append(all, fmt.Sprintf("Redis counts %d; %d sent, %d acknowledged", count, w.sent, acked))
	}
	return all
}

// crowd is many walkers, half of them plain clients.
type crowd struct {
	walkers []*walker
	running sync.WaitGroup
	stop    atomic.Bool
	total   atomic.Int64
}

func startCrowd(t *testing.T, addr string, each int) *crowd {
	c := &crowd{}
	for i := range 2 * each {
		w := &walker{addr: addr, session: uuid.NewString(), v1: i%2 == 0, stop: &c.stop, total: &c.total}
		c.walkers = append(c.walkers, w)
		c.running.Go(w.walk)
	}
	t.Cleanup(c.finish)
	return c
}

// waitProgress waits until every session may have had a few replies since the last fault.
func (c *crowd) waitProgress(t *testing.T) {
	t.Helper()
	if !c.wait(30*time.Second, int64(20*len(c.walkers))) {
		t.Fatal("no messages are acknowledged any more")
	}
}

// wait waits for so many more acknowledged messages, and tells whether they came in time.
func (c *crowd) wait(within time.Duration, more int64) bool {
	until := c.total.Load() + more
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if c.total.Load() > until {
			return true
		}
	}
	return false
}

func (c *crowd) finish() {
	c.stop.Store(true)
	c.running.Wait()
}

// waitMessages waits until both processes have acknowledged some more messages together.
func (c *cluster) waitMessages(more float64) {
	c.t.Helper()
	acknowledged := func() (sum float64) {
		for _, s := range c.servers {
			sum += s.Metrics().Value("websocket_messages_total")
		}
		return sum
	}
	before := acknowledged()
	harness.Eventually(c.t, 30*time.Second, "messages are acknowledged again", func() bool {
		return acknowledged() >= before+more
	})
}

func (c *cluster) stall(i int) {
	c.servers[i].Signal(syscall.SIGSTOP)
	time.Sleep(lasting)
	c.servers[i].Signal(syscall.SIGCONT)
}
