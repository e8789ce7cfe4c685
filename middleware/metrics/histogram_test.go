package metrics

import "testing"

// Every message is observed: that takes no memory.
func TestObserveDoesNotAllocate(t *testing.T) {
	h := NewHistogram("h", "", latencyBuckets())
	if n := testing.AllocsPerRun(1000, func() { h.Observe(.003, 7) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	h := NewHistogram("h", "", latencyBuckets())
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			h.Observe(.003, 7)
		}
	})
}
