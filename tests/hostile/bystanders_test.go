package hostile

import (
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"baton/tests/harness"
)

const (
	crowd = 20
	pace  = 10 * time.Millisecond // between two messages of one
)

// bystanders are clients that do what they should, from another address than the attacker's.
type bystanders struct {
	t     *testing.T
	peers []*harness.Peer
	count []int
}

func newBystanders(t *testing.T, s *harness.Server) *bystanders {
	t.Helper()
	b := &bystanders{t: t, count: make([]int, crowd)}
	for range crowd {
		b.peers = append(b.peers, s.Dial(harness.Handshake{}))
	}
	return b
}

// p99 of the time from a message to its count, in seconds, over all of them for a while.
func (b *bystanders) p99(lasts time.Duration) float64 {
	b.t.Helper()
	var mu sync.Mutex
	var took []float64
	var all sync.WaitGroup
	end := time.Now().Add(lasts)
	for i := range b.peers {
		all.Go(func() {
			tick := time.NewTicker(pace)
			defer tick.Stop()
			for time.Now().Before(end) {
				<-tick.C
				began := time.Now()
				if !b.exchange(i) {
					return
				}
				mu.Lock()
				took = append(took, time.Since(began).Seconds())
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if b.t.Failed() || len(took) == 0 {
		b.t.FailNow()
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}

// alive checks that none was cut, and that every count is as it should be.
func (b *bystanders) alive() {
	for i := range b.peers {
		b.exchange(i)
	}
}

func (b *bystanders) exchange(i int) bool {
	b.count[i]++
	if err := b.peers[i].TrySend(harness.Text("m")); err != nil {
		b.t.Errorf("a bystander was cut: %v", err)
		return false
	}
	for {
		frame, err := b.peers[i].Read(waitFor)
		if err != nil || frame.Op == harness.OpClose {
			b.t.Errorf("a bystander got %v %v", frame, err)
			return false
		}
		var reply struct{ Count int }
		if frame.Op != harness.OpText || json.Unmarshal(frame.Payload, &reply) != nil || reply.Count == 0 {
			continue // a ping, a heartbeat
		}
		if reply.Count != b.count[i] {
			b.t.Errorf("a bystander's count is %d, want %d", reply.Count, b.count[i])
		}
		return true
	}
}
