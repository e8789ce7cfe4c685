package admission

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

func numbered(i int) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(i))
	return netip.AddrFrom4(b)
}

func TestRateHoldsEachNetworkToItsWindow(t *testing.T) {
	r := rate{max: 3}
	now := time.Now()
	taken := func(who int) (n int) {
		for range 10 {
			if r.allow(numbered(who), now) {
				n++
			}
		}
		return n
	}
	for step, want := range []struct {
		after    time.Duration
		who, got int
	}{
		{0, 1, 3},
		{900 * time.Millisecond, 1, 0},
		{0, 2, 3}, // another network, and late in this generation
		{200 * time.Millisecond, 1, 3},
		{0, 2, 0}, // the generations have turned, its window has not
		{900 * time.Millisecond, 2, 3},
	} {
		now = now.Add(want.after)
		if got := taken(want.who); got != want.got {
			t.Errorf("step %d: %d taken, want %d", step, got, want.got)
		}
	}
}

func TestRatesTableIsBounded(t *testing.T) {
	r := rate{max: 1}
	now := time.Now()
	for i := range 5 * maxWindows {
		if !r.allow(numbered(i), now) {
			t.Fatalf("newcomer %d was refused", i)
		}
		now = now.Add(5 * window / (5 * maxWindows))
	}
	if len(r.young) > maxWindows || len(r.old) > maxWindows {
		t.Errorf("%d and %d windows", len(r.young), len(r.old))
	}
	for i := range 2 * maxWindows {
		r.allow(numbered(-i), now)
	}
	if len(r.young) > maxWindows {
		t.Errorf("%d windows", len(r.young))
	}
}

func TestSlotsForgetANetworkThatLeft(t *testing.T) {
	s := NewSlots(0, 2)
	var slots []*Slot
	for range 2 {
		if !s.enter(numbered(1)) {
			t.Fatal("refused below the limit")
		}
		slots = append(slots, &Slot{slots: s, network: numbered(1)})
	}
	if s.enter(numbered(1)) || !s.enter(numbered(2)) {
		t.Error("the limit is not each network's own")
	}
	slots[0].Release()
	slots[0].Release() // once only
	if !s.enter(numbered(1)) || s.enter(numbered(1)) {
		t.Error("a released place is free once")
	}
	slots[1].Release()
	(&Slot{slots: s, network: numbered(1)}).Release()
	(&Slot{slots: s, network: numbered(2)}).Release()
	if len(s.networks) != 0 {
		t.Errorf("still remembered: %v", s.networks)
	}
}
