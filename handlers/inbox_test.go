package handlers

import (
	"fmt"
	"sync"
	"testing"

	"baton/middleware/session"
)

// notes is a handler that remembers what it received.
type notes struct {
	Counting
	mu   sync.Mutex
	list []string
}

func (n *notes) Received(_ *Peer, m Message) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, fmt.Sprint(m.N, " ", string(m.Text)))
}

func TestAHandlerReceivesWhatWasCountedAndNothingElse(t *testing.T) {
	for name, tc := range map[string]struct {
		outcome error
		want    string
	}{
		"stored":      {nil, "[1 hello]"},
		"fenced":      {session.ErrFenced, "[]"},
		"unavailable": {session.ErrUnavailable, "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			h, n := testHub(t), &notes{}
			h.Handle(n)
			c, _ := testConn(h)
			c.listen()
			c.mu.Lock()
			c.receiveAll([]byte(helloFrame))
			c.busy = c.wantsCommit()
			c.mu.Unlock()
			if !c.busy {
				t.Fatal("nothing to commit")
			}
			c.Commit()
			c.mu.Lock()
			if early := len(c.inbox.calls); early > 1 { // Opened, at most
				t.Errorf("%d calls before the count was stored", early)
			}
			c.fenced = true // no more commits: this hub has no committer
			c.mu.Unlock()
			c.Committed(tc.outcome)
			h.FinishCalls(t.Context())
			if got := fmt.Sprint(n.list); got != tc.want {
				t.Errorf("received %s, want %s", got, tc.want)
			}
			if left := c.inbox.size; left != 0 {
				t.Errorf("%d bytes are still accounted for", left)
			}
		})
	}
}
