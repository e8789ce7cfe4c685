package wire

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"baton/tests/harness"
)

// The cases of the Autobahn WebSocket test suite, by its numbers, against a server that counts where Autobahn's echoes:
// a text message is answered with its count, a binary one with close 1003. Left out: 12 and 13 (compression, which the
// server never agrees to: see the handshake tests).
type conformanceCase struct {
	id   string
	name string
	send []harness.Frame
	chop int      // bytes a write; 0: all in one
	want []string // in order; "count", "pong:…" or "close:…", where a close ends the case
}

func TestConformance(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"MAX_MESSAGE_BYTES": itoa(16 << 20)})
	for _, c := range conformanceCases() {
		t.Run(c.id+" "+c.name, func(t *testing.T) {
			p := harness.Dial(t, s.Addr, harness.Handshake{})
			if c.chop == 0 {
				c.chop = 1 << 30
			}
			p.Chopped(c.chop, c.send...)
			count := 0
			for _, want := range c.want {
				if checkAnswer(t, p, want, &count) {
					return
				}
			}
			p.Send(harness.Close(1000, ""))
			p.Closed(1000)
		})
	}
}

// checkAnswer reads one answer and tells whether it was the last.
func checkAnswer(t *testing.T, p *harness.Peer, want string, count *int) bool {
	t.Helper()
	kind, rest, _ := strings.Cut(want, ":")
	switch kind {
	case "count":
		*count++
		p.Count(*count)
	case "pong":
		if frame := p.Next(); frame.Op != harness.OpPong || string(frame.Payload) != rest {
			t.Fatalf("got %v, want pong %q", frame, rest)
		}
	case "close":
		frame := p.Next()
		if frame.Op != harness.OpClose || !strings.Contains("|"+rest+"|", "|"+itoa(frame.Code())+"|") {
			t.Fatalf("got %v, want close %s", frame, rest)
		}
		p.Ended()
		return true
	}
	return false
}

func conformanceCases() []conformanceCase {
	var all []conformanceCase
	for _, category := range [][]conformanceCase{
		framingCases(), pingCases(), reservedCases(), opcodeCases(), fragmentCases(), utf8Cases(), closeCases(), sizeCases(),
	} {
		all = append(all, category...)
	}
	return all
}

func framingCases() []conformanceCase {
	var cases []conformanceCase
	for i, size := range []int{0, 125, 126, 127, 128, 65535, 65536} {
		text := strings.Repeat("*", size)
		cases = append(cases,
			conformanceCase{id: "1.1." + itoa(i+1), name: "text of " + itoa(size), send: []harness.Frame{harness.Text(text)}, want: []string{"count"}},
			conformanceCase{id: "1.2." + itoa(i+1), name: "binary of " + itoa(size), send: []harness.Frame{{Op: harness.OpBinary, Payload: []byte(text)}}, want: []string{"close:1003"}},
		)
	}
	large := strings.Repeat("*", 65536)
	return append(cases,
		conformanceCase{id: "1.1.8", name: "text of 65536, chopped", chop: 997, send: []harness.Frame{harness.Text(large)}, want: []string{"count"}},
		conformanceCase{id: "1.2.8", name: "binary of 65536, chopped", chop: 997, send: []harness.Frame{{Op: harness.OpBinary, Payload: []byte(large)}}, want: []string{"close:1003"}},
	)
}

func ping(payload string) harness.Frame {
	return harness.Frame{Op: harness.OpPing, Payload: []byte(payload)}
}

func pong(payload string) harness.Frame {
	return harness.Frame{Op: harness.OpPong, Payload: []byte(payload)}
}

func pingCases() []conformanceCase {
	var ten []harness.Frame
	var pongs []string
	for i := range 10 {
		ten = append(ten, ping("payload-"+itoa(i)))
		pongs = append(pongs, "pong:payload-"+itoa(i))
	}
	most := strings.Repeat("\xfe", 125)
	return []conformanceCase{
		{id: "2.1", name: "ping without payload", send: []harness.Frame{ping("")}, want: []string{"pong:"}},
		{id: "2.2", name: "ping with text", send: []harness.Frame{ping("Hello, world!")}, want: []string{"pong:Hello, world!"}},
		{id: "2.3", name: "ping with binary", send: []harness.Frame{ping("\x00\xff\xfe\xfd\xfc\xfb\x00\xff")}, want: []string{"pong:\x00\xff\xfe\xfd\xfc\xfb\x00\xff"}},
		{id: "2.4", name: "ping of 125", send: []harness.Frame{ping(most)}, want: []string{"pong:" + most}},
		{id: "2.5", name: "ping of 126", send: []harness.Frame{ping(most + "\xfe")}, want: []string{"close:1002"}},
		{id: "2.6", name: "ping of 125, by octets", chop: 1, send: []harness.Frame{ping(most)}, want: []string{"pong:" + most}},
		{id: "2.7", name: "unasked pong", send: []harness.Frame{pong("")}},
		{id: "2.8", name: "unasked pong with payload", send: []harness.Frame{pong("unsolicited pong payload")}},
		{id: "2.9", name: "unasked pong, then ping", send: []harness.Frame{pong("unsolicited"), ping("ping payload")}, want: []string{"pong:ping payload"}},
		{id: "2.10", name: "ten pings", send: ten, want: pongs},
		{id: "2.11", name: "ten pings by octets", chop: 1, send: ten, want: pongs},
	}
}

func reservedCases() []conformanceCase {
	small := "Hello, world!"
	bad := func(rsv byte) harness.Frame {
		return harness.Frame{Op: harness.OpText, RSV: rsv, Payload: []byte(small)}
	}
	after := []string{"count", "close:1002"}
	return []conformanceCase{
		{id: "3.1", name: "RSV 1", send: []harness.Frame{bad(1)}, want: []string{"close:1002"}},
		{id: "3.2", name: "RSV 2 after a text", send: []harness.Frame{harness.Text(small), bad(2), ping("")}, want: after},
		{id: "3.3", name: "RSV 3 after a text, chopped by frames", chop: 19, send: []harness.Frame{harness.Text(small), bad(3), ping("")}, want: after},
		{id: "3.4", name: "RSV 4 after a text, by octets", chop: 1, send: []harness.Frame{harness.Text(small), bad(4), ping("")}, want: after},
		{id: "3.5", name: "RSV 5 on binary", send: []harness.Frame{{Op: harness.OpBinary, RSV: 5, Payload: []byte("\x00\xff")}}, want: []string{"close:1002"}},
		{id: "3.6", name: "RSV 6 on a ping", send: []harness.Frame{{Op: harness.OpPing, RSV: 6, Payload: []byte(small)}}, want: []string{"close:1002"}},
		{id: "3.7", name: "RSV 7 on a close", send: []harness.Frame{{Op: harness.OpClose, RSV: 7, Payload: []byte{3, 232}}}, want: []string{"close:1002"}},
	}
}

func opcodeCases() []conformanceCase {
	var cases []conformanceCase
	for group, first := range map[string]byte{"4.1.": 3, "4.2.": 11} {
		for i := range byte(5) {
			op := harness.Frame{Op: first + i}
			withPayload := harness.Frame{Op: first + i, Payload: []byte("reserved opcode payload")}
			c := conformanceCase{id: group + itoa(int(i)+1), name: "opcode " + itoa(int(op.Op)), send: []harness.Frame{op}, want: []string{"close:1002"}}
			switch i {
			case 1:
				c.send = []harness.Frame{withPayload}
			case 2, 3:
				c.send, c.want = []harness.Frame{harness.Text("Hello, world!"), op, ping("")}, []string{"count", "close:1002"}
			case 4:
				c.send, c.want, c.chop = []harness.Frame{harness.Text("Hello, world!"), withPayload, ping("")}, []string{"count", "close:1002"}, 1
			}
			cases = append(cases, c)
		}
	}
	return cases
}

func part(op byte, fin bool, payload string) harness.Frame {
	return harness.Frame{Op: op, NotFin: !fin, Payload: []byte(payload)}
}

func fragmentCases() []conformanceCase {
	const text, more = harness.OpText, harness.OpContinuation
	two := []harness.Frame{part(text, false, "fragment1"), part(more, true, "fragment2")}
	pinged := []harness.Frame{part(text, false, "fragment1"), ping("ping payload"), part(more, true, "fragment2")}
	stray := func(fin bool) []harness.Frame {
		return []harness.Frame{part(more, fin, "non-continuation payload"), harness.Text("Hello, world!")}
	}
	five := []harness.Frame{
		part(text, false, "fragment1"), part(more, false, "fragment2"), ping("pongme 1!"),
		part(more, false, "fragment3"), part(more, false, "fragment4"), ping("pongme 2!"), part(more, true, "fragment5"),
	}
	again := []harness.Frame{part(more, false, "fragment1"), part(more, false, "fragment2"), part(text, true, "fragment3")}
	violated := []string{"close:1002"}
	return []conformanceCase{
		{id: "5.1", name: "ping in two fragments", send: []harness.Frame{part(harness.OpPing, false, "fragment1"), part(more, true, "fragment2")}, want: violated},
		{id: "5.2", name: "pong in two fragments", send: []harness.Frame{part(harness.OpPong, false, "fragment1"), part(more, true, "fragment2")}, want: violated},
		{id: "5.3", name: "text in two fragments", send: two, want: []string{"count"}},
		{id: "5.4", name: "text in two fragments, chopped by frames", chop: 15, send: two, want: []string{"count"}},
		{id: "5.5", name: "text in two fragments, by octets", chop: 1, send: two, want: []string{"count"}},
		{id: "5.6", name: "ping between fragments", send: pinged, want: []string{"pong:ping payload", "count"}},
		{id: "5.7", name: "ping between fragments, chopped by frames", chop: 15, send: pinged, want: []string{"pong:ping payload", "count"}},
		{id: "5.8", name: "ping between fragments, by octets", chop: 1, send: pinged, want: []string{"pong:ping payload", "count"}},
		{id: "5.9", name: "continuation of nothing", send: stray(true), want: violated},
		{id: "5.10", name: "continuation of nothing, chopped by frames", chop: 30, send: stray(true), want: violated},
		{id: "5.11", name: "continuation of nothing, by octets", chop: 1, send: stray(true), want: violated},
		{id: "5.12", name: "unfinished continuation of nothing", send: stray(false), want: violated},
		{id: "5.13", name: "unfinished continuation of nothing, chopped by frames", chop: 30, send: stray(false), want: violated},
		{id: "5.14", name: "unfinished continuation of nothing, by octets", chop: 1, send: stray(false), want: violated},
		{id: "5.15", name: "continuation after the end", send: append(append([]harness.Frame{}, two...), part(more, false, "fragment3"), part(text, true, "fragment4")), want: []string{"count", "close:1002"}},
		{id: "5.16", name: "fragments of nothing, twice", send: append(append([]harness.Frame{}, again...), again...), want: violated},
		{id: "5.17", name: "finished fragments of nothing, twice", send: []harness.Frame{part(more, true, "fragment1"), part(more, true, "fragment2"), part(text, true, "fragment3")}, want: violated},
		{id: "5.18", name: "both fragments are text", send: []harness.Frame{part(text, false, "fragment1"), part(text, true, "fragment2")}, want: violated},
		{id: "5.19", name: "five fragments and pings", chop: 40, send: five, want: []string{"pong:pongme 1!", "pong:pongme 2!", "count"}},
		{id: "5.20", name: "five fragments and pings in one write", send: five, want: []string{"pong:pongme 1!", "pong:pongme 2!", "count"}},
	}
}

// sizeCases are categories 9 and 10, with Autobahn's sizes: up to 16 MB, on a server that allows that.
func sizeCases() []conformanceCase {
	var cases []conformanceCase
	add := func(group string, i int, name string, chop int, frames func(op byte) []harness.Frame) {
		text, binary := "9."+itoa(2*i-1)+"."+group, "9."+itoa(2*i)+"."+group
		cases = append(cases,
			conformanceCase{id: text, name: "text, " + name, chop: chop, send: frames(harness.OpText), want: []string{"count"}},
			conformanceCase{id: binary, name: "binary, " + name, chop: chop, send: frames(harness.OpBinary), want: []string{"close:1003"}},
		)
	}
	large := bytes.Repeat([]byte("*"), 16<<20)
	for i, size := range []int{64 << 10, 256 << 10, 1 << 20, 4 << 20, 8 << 20, 16 << 20} {
		add(itoa(i+1), 1, itoa(size)+" bytes", 0, func(op byte) []harness.Frame { return []harness.Frame{{Op: op, Payload: large[:size]}} })
	}
	for i, size := range []int{64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20} {
		add(itoa(i+1), 2, "4 MB in fragments of "+itoa(size), 0, func(op byte) []harness.Frame {
			frames := fragments(large[:4<<20], size)
			frames[0].Op = op
			return frames
		})
	}
	for i, chop := range []int{64, 128, 256, 512, 1024, 2048} {
		add(itoa(i+1), 3, "1 MB chopped by "+itoa(chop), chop, func(op byte) []harness.Frame { return []harness.Frame{{Op: op, Payload: large[:1<<20]}} })
	}
	for i, size := range []int{0, 16, 64, 256, 1024, 4096} {
		add(itoa(i+1), 4, "1000 messages of "+itoa(size), 0, func(op byte) []harness.Frame {
			return slices.Repeat([]harness.Frame{{Op: op, Payload: large[:size]}}, 1000)
		})
		cases[len(cases)-2].want = slices.Repeat([]string{"count"}, 1000)
	}
	return append(cases, conformanceCase{id: "10.1.1", name: "64 KB in fragments of 1300", send: fragments(large[:64<<10], 1300), want: []string{"count"}})
}

func fragments(payload []byte, size int) []harness.Frame {
	var frames []harness.Frame
	op := byte(harness.OpText)
	for len(payload) > 0 {
		n := min(size, len(payload))
		frames = append(frames, part(op, n == len(payload), string(payload[:n])))
		payload, op = payload[n:], harness.OpContinuation
	}
	return frames
}
