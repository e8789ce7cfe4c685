package wire

import (
	"bytes"
	"strings"
	"testing"

	"baton/tests/harness"
)

// faults are what a peer may do wrong, and the code it is closed with.
var faults = []struct {
	name   string
	code   int
	frames []harness.Frame
}{
	{"unmasked text", 1002, []harness.Frame{{Op: harness.OpText, Payload: []byte("m"), Unmasked: true}}},
	{"unmasked ping", 1002, []harness.Frame{{Op: harness.OpPing, Unmasked: true}}},
	{"unmasked close", 1002, []harness.Frame{{Op: harness.OpClose, Payload: []byte{3, 232}, Unmasked: true}}},
	{"rsv1", 1002, []harness.Frame{{Op: harness.OpText, RSV: 4, Payload: []byte("m")}}},
	{"rsv2", 1002, []harness.Frame{{Op: harness.OpText, RSV: 2, Payload: []byte("m")}}},
	{"rsv3", 1002, []harness.Frame{{Op: harness.OpText, RSV: 1, Payload: []byte("m")}}},
	{"rsv on a ping", 1002, []harness.Frame{{Op: harness.OpPing, RSV: 4}}},
	{"rsv on a continuation", 1002, []harness.Frame{{Op: harness.OpText, NotFin: true}, {RSV: 4}}},
	{"opcode 3", 1002, []harness.Frame{{Op: 3}}},
	{"opcode 7 with payload", 1002, []harness.Frame{{Op: 7, Payload: []byte("m")}}},
	{"opcode 11", 1002, []harness.Frame{{Op: 11}}},
	{"opcode 15", 1002, []harness.Frame{{Op: 15, Payload: []byte("m")}}},
	{"continuation of nothing", 1002, []harness.Frame{{Op: harness.OpContinuation, Payload: []byte("m")}}},
	{"unfinished continuation of nothing", 1002, []harness.Frame{{Op: harness.OpContinuation, NotFin: true}}},
	{"text within a message", 1002, []harness.Frame{{Op: harness.OpText, NotFin: true, Payload: []byte("m")}, harness.Text("m")}},
	{"binary within a message", 1002, []harness.Frame{{Op: harness.OpText, NotFin: true, Payload: []byte("m")}, {Op: harness.OpBinary}}},
	{"ping of 126 bytes", 1002, []harness.Frame{{Op: harness.OpPing, Payload: bytes.Repeat([]byte("p"), 126)}}},
	{"pong of 126 bytes", 1002, []harness.Frame{{Op: harness.OpPong, Payload: bytes.Repeat([]byte("p"), 126)}}},
	{"close of 126 bytes", 1002, []harness.Frame{harness.Close(1000, strings.Repeat("r", 124))}},
	{"ping that claims 70,000 bytes", 1002, []harness.Frame{{Op: harness.OpPing, Length: 70000}}},
	{"fragmented ping", 1002, []harness.Frame{{Op: harness.OpPing, NotFin: true}}},
	{"fragmented pong", 1002, []harness.Frame{{Op: harness.OpPong, NotFin: true}}},
	{"fragmented close", 1002, []harness.Frame{{Op: harness.OpClose, NotFin: true, Payload: []byte{3, 232}}}},
	{"close of one byte", 1002, []harness.Frame{{Op: harness.OpClose, Payload: []byte{3}}}},
	{"binary", 1003, []harness.Frame{{Op: harness.OpBinary, Payload: []byte("m")}}},
	{"empty binary", 1003, []harness.Frame{{Op: harness.OpBinary}}},
	{"first fragment of binary", 1003, []harness.Frame{{Op: harness.OpBinary, NotFin: true, Payload: []byte("m")}}},
	{"text that is no UTF-8", 1007, []harness.Frame{harness.Text("a\xffb")}},
	{"surrogate", 1007, []harness.Frame{harness.Text("\xed\xa0\x80")}},
	{"overlong", 1007, []harness.Frame{harness.Text("\xc0\xaf")}},
	{"cut code point", 1007, []harness.Frame{harness.Text("a\xe2\x82")}},
	{"fragments that are no UTF-8 together", 1007, []harness.Frame{
		{Op: harness.OpText, NotFin: true, Payload: []byte("a\xe2")}, {NotFin: true, Payload: []byte("\x82")}, {Payload: []byte("b")},
	}},
	{"close reason that is no UTF-8", 1007, []harness.Frame{harness.Close(1000, "\xff\xfe")}},
	{"message of 65,537 bytes", 1009, []harness.Frame{harness.Text(strings.Repeat("m", 65537))}},
	{"header that claims 65,537 bytes", 1009, []harness.Frame{{Op: harness.OpText, Length: 65537}}},
	{"header that claims 2^62 bytes", 1009, []harness.Frame{{Op: harness.OpText, Length: 1 << 62}}},
	{"fragments that add up to 65,537 bytes", 1009, []harness.Frame{
		{Op: harness.OpText, NotFin: true, Payload: bytes.Repeat([]byte("m"), 65536)}, {Payload: []byte("m")},
	}},
	{"continuation that would add up to too much", 1009, []harness.Frame{
		{Op: harness.OpText, NotFin: true, Payload: []byte("m")}, {Length: 65536},
	}},
}

// Every fault comes behind three good messages, in the same write: these are counted and answered, the bad frame never is.
func TestFaultsAreClosedWithTheirCode(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	for _, fault := range faults {
		for name, chop := range map[string]int{"whole": 1 << 30, "chopped": 3} {
			t.Run(fault.name+"/"+name, func(t *testing.T) {
				p := harness.Dial(t, s.Addr, harness.Handshake{})
				frames := append([]harness.Frame{harness.Text("a"), harness.Text("b"), harness.Text("c")}, fault.frames...)
				if len(frames[len(frames)-1].Payload) > 1000 {
					chop = max(chop, 997)
				}
				p.Chopped(chop, frames...)
				p.Count(1, 3)
				p.Closed(fault.code)
				if got := stored(t, s, p.Session); got != 3 {
					t.Errorf("count is %d, want 3", got)
				}
			})
		}
	}
}

func TestFaultsHitNoOtherConnection(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	bystander := s.Dial(harness.Handshake{})
	for i, fault := range faults {
		p := harness.Dial(t, s.Addr, harness.Handshake{})
		p.Send(fault.frames...)
		bystander.Say("m")
		bystander.Count(i + 1)
		p.ClosedEventually(fault.code)
	}
}

func TestNothingIsReadAfterAFault(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	p := s.Dial(harness.Handshake{})
	p.Send(harness.Frame{Op: 3}, harness.Text("late"), harness.Frame{Op: harness.OpPing}, harness.Text("later"))
	p.Closed(1002)
	if got := stored(t, s, p.Session); got != 0 {
		t.Errorf("count is %d, want 0", got)
	}
}

func TestCloseIsEchoed(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	for _, code := range []uint16{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		p := s.Dial(harness.Handshake{})
		p.Send(harness.Close(code, "done"))
		p.Closed(int(code))
	}
	empty := s.Dial(harness.Handshake{})
	empty.Send(harness.Frame{Op: harness.OpClose})
	if frame := empty.Next(); frame.Op != harness.OpClose || (frame.Code() != 1005 && frame.Code() != 1000) {
		t.Errorf("an empty close is answered with %v", frame)
	}
	empty.Ended()
	longest := s.Dial(harness.Handshake{})
	longest.Send(harness.Close(1000, strings.Repeat("ä", 61)+"r"))
	longest.Closed(1000)
}

func TestInvalidCloseCodesAreAViolation(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	for _, code := range []uint16{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		p := s.Dial(harness.Handshake{})
		p.Send(harness.Close(code, "bad"))
		p.Closed(1002)
	}
}

func TestPingsAreAnswered(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, nil).Dial(harness.Handshake{})
	for _, payload := range []string{"", "hello", "\x00\xff\xfe", strings.Repeat("p", 125)} {
		p.Send(harness.Frame{Op: harness.OpPing, Payload: []byte(payload)})
		if frame := p.Next(); frame.Op != harness.OpPong || string(frame.Payload) != payload {
			t.Errorf("ping %q is answered with %v", payload, frame)
		}
	}
	p.Send(harness.Frame{Op: harness.OpPong}, harness.Frame{Op: harness.OpPong, Payload: []byte("unasked")})
	p.Silent()
}

func TestControlFramesBetweenFragments(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, nil).Dial(harness.Handshake{})
	p.Send(
		harness.Frame{Op: harness.OpText, NotFin: true, Payload: []byte("a\xe2")},
		harness.Frame{Op: harness.OpPing, Payload: []byte("1")},
		harness.Frame{NotFin: true, Payload: []byte("\x82")},
		harness.Frame{Op: harness.OpPong, Payload: []byte("unasked")},
		harness.Frame{NotFin: true},
		harness.Frame{Op: harness.OpPing, Payload: []byte("2")},
		harness.Frame{Payload: []byte("\xac")},
	)
	for _, want := range []string{"1", "2"} {
		if frame := p.Next(); frame.Op != harness.OpPong || string(frame.Payload) != want {
			t.Fatalf("got %v, want pong %q", frame, want)
		}
	}
	p.Count(1)
	p.Send(harness.Frame{Op: harness.OpText, NotFin: true, Payload: []byte("cut")}, harness.Close(1000, ""))
	p.Closed(1000) // a close within a message ends it, uncounted
}
