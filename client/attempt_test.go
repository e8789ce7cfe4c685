package client

import (
	"testing"
	"time"
)

func TestAttemptsRise(t *testing.T) {
	clock := time.UnixMilli(1_000_000)
	var a attempts
	first := a.next(clock)
	if first != 1_000_000 {
		t.Errorf("the first is %d, want the clock", first)
	}
	if second := a.next(clock.Add(-time.Hour)); second != first+1 {
		t.Errorf("with the clock set back: %d, want one more than %d", second, first)
	}
	if third := a.next(clock.Add(time.Minute)); third != 1_060_000 {
		t.Errorf("with the clock ahead: %d, want the clock", third)
	}
}

// A client without memory whose clock was set back by a day gets past what
// its session stored.
func TestAttemptsPassAStaleOne(t *testing.T) {
	stored := uint64(time.Now().UnixMilli())
	clock := time.Now().Add(-24 * time.Hour)
	a := attempts{}
	for a.next(clock) <= stored {
		if a.stale++; a.stale > staleMax {
			t.Fatal("gave up before")
		}
	}
}
