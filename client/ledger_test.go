package client

import (
	"slices"
	"testing"
	"time"
)

// newLedger has a session at count, n messages pushed and the first of them written.
func newLedger(count uint64, pushed, written int) *ledger {
	l := &ledger{}
	l.resume(count)
	for range pushed {
		l.push("m", time.Time{})
	}
	for range written {
		l.next()
	}
	return l
}

func seqs(acked []message) []uint64 {
	var all []uint64
	for _, m := range acked {
		all = append(all, m.seq)
	}
	return all
}

func TestReply(t *testing.T) {
	for name, test := range map[string]struct {
		reply   uint64
		acked   []uint64
		foreign bool
		count   uint64
	}{
		"next":                  {11, []uint64{1}, false, 11},
		"several at once":       {13, []uint64{1, 2, 3}, false, 13},
		"duplicate":             {10, nil, false, 10},
		"late":                  {4, nil, false, 10},
		"more than was written": {14, []uint64{1, 2, 3}, true, 14},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger(10, 5, 3)
			acked, foreign := l.reply(test.reply)
			if !slices.Equal(seqs(acked), test.acked) || (foreign != nil) != test.foreign || l.count != test.count {
				t.Errorf("acked %v, foreign %v, count %d", seqs(acked), foreign, l.count)
			}
		})
	}
}

func TestResume(t *testing.T) {
	for name, test := range map[string]struct {
		session uint64
		acked   []uint64
		reset   *Reset
		foreign *Foreign
		next    []uint64
	}{
		"nothing of it arrived":  {10, nil, nil, nil, []uint64{1, 2, 3, 4, 5}},
		"some of it is counted":  {12, []uint64{1, 2}, nil, nil, []uint64{3, 4, 5}},
		"all that was written":   {13, []uint64{1, 2, 3}, nil, nil, []uint64{4, 5}},
		"less than acknowledged": {7, nil, &Reset{Acknowledged: 10, Count: 7}, nil, []uint64{1, 2, 3, 4, 5}},
		"forgotten":              {0, nil, &Reset{Acknowledged: 10, Count: 0}, nil, []uint64{1, 2, 3, 4, 5}},
		"more than was written":  {15, []uint64{1, 2, 3}, nil, &Foreign{Sent: 13, Count: 15}, []uint64{4, 5}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger(10, 5, 3)
			acked, reset, foreign := l.resume(test.session)
			if !slices.Equal(seqs(acked), test.acked) {
				t.Errorf("acked %v, want %v", seqs(acked), test.acked)
			}
			if !equal(reset, test.reset) || !equal(foreign, test.foreign) {
				t.Errorf("reset %v, foreign %v", reset, foreign)
			}
			if l.count != test.session || !slices.Equal(seqs(l.pending), test.next) {
				t.Errorf("goes on from %d with %v", l.count, seqs(l.pending))
			}
			if _, ok := l.next(); ok != (len(test.next) > 0) || l.written > 1 {
				t.Error("does not write again from the first message that is not counted")
			}
		})
	}
}

// What an earlier connection got may be counted, also if a later one ended
// before it was written again.
func TestResumeTwice(t *testing.T) {
	l := newLedger(0, 3, 3)
	l.resume(1)
	acked, reset, foreign := l.resume(3)
	if len(acked) != 2 || reset != nil || foreign != nil {
		t.Errorf("acked %v, reset %v, foreign %v", seqs(acked), reset, foreign)
	}
}

func TestRestore(t *testing.T) {
	l := &ledger{}
	l.restore(Snapshot{Count: 5, Pending: []string{"a", "b"}}, time.Time{})
	acked, reset, foreign := l.resume(6)
	if !slices.Equal(seqs(acked), []uint64{1}) || reset != nil || foreign != nil {
		t.Errorf("acked %v, reset %v, foreign %v", seqs(acked), reset, foreign)
	}
	if text, _ := l.next(); text != "b" {
		t.Errorf("writes %q next", text)
	}
}

func equal[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}
