package handlers

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"testing"
	"time"
	"unsafe"

	"baton/handlers/channel"
	"baton/middleware/admission"
	"baton/middleware/metrics"
	"baton/middleware/session"
)

// sink is a socket that takes everything.
type sink struct{ written int }

func (s *sink) Write(b []byte) (int, error) { s.written += len(b); return len(b), nil }
func (*sink) Loop() int                     { return 0 }
func (*sink) AwaitWritable()                {}
func (*sink) PauseReading()                 {}
func (*sink) ResumeReading()                {}
func (*sink) CloseWrite()                   {}
func (*sink) Close()                        {}

func testHub(t testing.TB) *Hub {
	m := metrics.New(metrics.Build{}, func() int64 { return 0 }, func() bool { return false }, func() time.Duration { return 0 })
	h := NewHub(HubConfig{
		HeartbeatInterval: time.Hour, IdleTimeout: time.Hour, SessionTTL: 4 * time.Hour, CommitTimeout: time.Second, MaxMessageBytes: 1 << 16,
	}, nil, m, slog.New(slog.DiscardHandler))
	t.Cleanup(h.Stop)
	return h
}

func testConn(h *Hub) (*conn, *sink) {
	s := &sink{}
	return newConn(h, s, &visitor{session: &session.Session{}}, false), s
}

// helloFrame is "hello", masked with zeros.
const helloFrame = "\x81\x85\x00\x00\x00\x00hello"

// commitAll takes frames and stores what they count.
func commitAll(c *conn, frames []byte) {
	c.receiveAll(frames)
	if c.wantsCommit() {
		c.Commit()
		c.Committed(nil)
	}
}

func TestAMessageCostsTheCountingHandlerNoAllocation(t *testing.T) {
	c, socket := testConn(testHub(t))
	frames := bytes.Repeat([]byte(helloFrame), 3)
	if allocs := testing.AllocsPerRun(1000, func() { commitAll(c, frames) }); allocs > 0 && !raced {
		t.Errorf("%v allocations for 3 messages, want none", allocs)
	}
	if c.count != 3*1001 || socket.written == 0 {
		t.Errorf("count %d, %d bytes answered", c.count, socket.written)
	}
}

func TestABroadcastIsEncodedOnceHoweverManyHearIt(t *testing.T) {
	allocations := func(conns int) float64 {
		h := testHub(t)
		h.shards = []*shard{{}}
		sockets := make([]*sink, conns)
		for i := range conns {
			c, socket := testConn(h)
			h.shards[0].conns, sockets[i] = append(h.shards[0].conns, c), socket
		}
		n := testing.AllocsPerRun(20, func() { h.Deliver(heartbeat(time.Now())) })
		for i, s := range sockets {
			if s.written == 0 {
				t.Fatalf("connection %d heard nothing", i)
			}
		}
		h.shards = nil // nothing to cut
		return n
	}
	if one, many := allocations(1), allocations(2000); many > one+1 { // the pool may be emptied once
		t.Errorf("%v allocations for 2000 connections, %v for one", many, one)
	}
}

func BenchmarkCounting(b *testing.B) {
	c, _ := testConn(testHub(b))
	frames := bytes.Repeat([]byte(helloFrame), 3)
	b.ReportAllocs()
	for b.Loop() {
		commitAll(c, frames)
	}
}

func TestRepliesOfAnyLengthAreFramed(t *testing.T) {
	for _, length := range []int{0, 1, 125, 126, 65535, 65536} {
		got := appendReply([]byte("before"), padding(length), 1)
		want := []byte("before")
		if length > 0 {
			want = append(want, textOf(length)...)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes: a frame of %d that begins % x", length, len(got)-6, got[6:min(len(got), 16)])
		}
	}
}

// padding is a handler whose reply has a length.
type padding int

func (p padding) AppendReply(dst []byte, _ uint64) []byte {
	return append(dst, bytes.Repeat([]byte("x"), int(p))...)
}

func textOf(length int) []byte {
	head := []byte{0x81, byte(length)}
	switch {
	case length > 65535:
		head = []byte{0x81, 127, 0, 0, 0, 0, byte(length >> 24), byte(length >> 16), byte(length >> 8), byte(length)}
	case length > 125:
		head = []byte{0x81, 126, byte(length >> 8), byte(length)}
	}
	return append(head, bytes.Repeat([]byte("x"), length)...)
}

func TestTheDirectoryForgetsWhoLeft(t *testing.T) {
	h := testHub(t)
	d := h.directory
	var peers []*Peer
	for i := range 3 {
		c, _ := testConn(h)
		c.visitor.session.Session = strconv.Itoa(i % 2) // the third takes the first one's session
		p := &Peer{conn: c}
		d.enter(p)
		peers = append(peers, p)
	}
	for i := range maxGroups {
		if err := peers[0].Join(fmt.Sprint("g", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := peers[0].Join("g0"); err != nil {
		t.Errorf("joined again: %v", err)
	}
	if err := peers[0].Join("one more"); !errors.Is(err, ErrTooManyGroups) {
		t.Errorf("group %d: %v", maxGroups+1, err)
	}
	if err := peers[0].Join(""); !errors.Is(err, channel.ErrName) {
		t.Errorf("no name: %v", err)
	}
	peers[0].Leave("g0")
	if len(d.members("g0")) != 0 || len(d.members("g1")) != 1 {
		t.Error("left the wrong group")
	}
	d.exit(peers[0])
	if p, ok := d.session("0"); !ok || p != peers[2] {
		t.Error("the session's newer connection was forgotten")
	}
	if err := peers[0].Join("g1"); !errors.Is(err, ErrGone) {
		t.Errorf("joined after the end: %v", err)
	}
	d.exit(peers[1])
	d.exit(peers[2])
	if len(d.sessions)+len(d.groups) != 0 {
		t.Errorf("left behind: %v %v", d.sessions, d.groups)
	}
}

// The allocator has a class for each: a word more and an idle connection costs the next one.
func TestAnIdleConnectionFitsItsSizeClasses(t *testing.T) {
	if strconv.IntSize < 64 {
		t.Skip("sizes are those of 64 bits")
	}
	for name, size := range map[string]struct{ is, class uintptr }{
		"conn":    {unsafe.Sizeof(conn{}), 256},
		"visitor": {unsafe.Sizeof(visitor{}), 48},
		"session": {unsafe.Sizeof(session.Session{}), 80},
		"slot":    {unsafe.Sizeof(admission.Slot{}), 48},
	} {
		t.Logf("%s: %d bytes", name, size.is)
		if size.is > size.class {
			t.Errorf("%s takes %d bytes, its class has %d", name, size.is, size.class)
		}
	}
}
