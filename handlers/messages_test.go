package handlers

import "testing"

func TestRateAllowsABurstOfASecondThenThePace(t *testing.T) {
	const second = int64(1e9)
	var r rate
	now := int64(0)
	for i := range 10 {
		if !r.allow(now, 10) {
			t.Fatalf("message %d of the first second's worth was refused", i+1)
		}
	}
	if r.allow(now, 10) {
		t.Error("the 11th message at once was taken")
	}
	if now += second / 10; !r.allow(now, 10) || r.allow(now, 10) {
		t.Error("after a tenth of a second exactly one more is due")
	}
	if !r.allow(now, 0) {
		t.Error("0 is no limit")
	}
}

func TestReplyIsTheWireOfTheContract(t *testing.T) {
	for n, want := range map[uint64]string{1: "\x81\x0b{\"count\":1}", 18446744073709551615: "\x81\x1e{\"count\":18446744073709551615}"} {
		if got := string(appendReply(nil, Counting{}, n)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
