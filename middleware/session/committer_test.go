package session

import (
	"strconv"
	"testing"
	"time"
)

// gathered queues n new entries without sending them.
func gathered(t *testing.T, c *Committer, n int) []*entry {
	t.Helper()
	var all []*entry
	for i := range n {
		e := &entry{done: make(chan error, 1), commit: Commit{
			Owner: Owner{Session: strconv.Itoa(i), Token: "a"}, Count: 1, Live: true, Deadline: time.Now().Add(10 * time.Second),
		}}
		if !c.Gather(e) {
			t.Fatal("an open committer refused an entry")
		}
		all = append(all, e)
	}
	return all
}

func await(t *testing.T, all []*entry) {
	t.Helper()
	for _, e := range all {
		if err := <-e.done; err != nil {
			t.Error(err)
		}
	}
}

// settled waits until the committer sends from its callers.
func settled(t *testing.T, c *Committer) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		c.mu.Lock()
		ready := c.prompt && !c.busy
		c.mu.Unlock()
		if ready {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the committer never found Redis prompt")
		}
		probe := gathered(t, c, 1)
		c.HandOver()
		await(t, probe)
	}
}

func TestAGroupIsSentByItsCallerWhileRedisIsPrompt(t *testing.T) {
	s, _ := open(t, startRedis(t))
	c := s.NewCommitter(noObserver{})
	defer c.Close()
	c.Flush() // nothing to send
	settled(t, c)
	group := gathered(t, c, 3)
	c.Flush()
	for i, e := range group {
		if len(e.done) == 0 {
			t.Errorf("entry %d was not answered when Flush returned", i)
		}
	}
	await(t, group)
}

func TestASlowRedisHoldsNoCallerLong(t *testing.T) {
	s, db := openFor(t, startRedis(t), 10*time.Second) // so long that a try is, too
	c := s.NewCommitter(noObserver{})
	defer c.Close()
	settled(t, c)
	const pause = 400 * time.Millisecond
	if err := db.Do(t.Context(), "CLIENT", "PAUSE", pause.Milliseconds(), "ALL").Err(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	group := gathered(t, c, 3)
	c.Flush()
	if took := time.Since(began); took < impatience || took > pause*3/4 {
		t.Errorf("Flush held its caller for %v, want about %v", took, impatience)
	}
	later := gathered(t, c, 3)
	if c.Flush(); time.Since(began) > pause {
		t.Error("a second Flush waited for Redis")
	}
	await(t, group)
	await(t, later)
	if took := time.Since(began); took < pause {
		t.Errorf("committed after %v, while Redis was paused", took)
	}
}
