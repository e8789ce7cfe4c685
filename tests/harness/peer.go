package harness

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

const (
	answerWithin = 10 * time.Second // how long a test waits for a frame that has to come
	endsWithin   = time.Second      // and for the end of a connection that both sides have closed, as Autobahn does
)

// Peer is a client that does exactly what it is told, right or wrong.
type Peer struct {
	net.Conn
	Session string // from X-Session-Id
	reader  *bufio.Reader
	t       testing.TB
}

// Dial opens a connection that has to be taken.
func (s *Server) Dial(h Handshake) *Peer {
	s.t.Helper()
	return Dial(s.t, s.Addr, h)
}

// Refused opens a connection that must not be taken and returns the answer.
func (s *Server) Refused(h Handshake) Answer {
	s.t.Helper()
	peer, answer, err := h.Open(s.Addr)
	if err != nil {
		s.t.Fatalf("handshake: %v", err)
	}
	if peer != nil {
		peer.Close()
		s.t.Fatalf("taken, want a refusal: %s", h.target())
	}
	return answer
}

// Dial opens a connection that has to be taken; it is closed when the test ends.
func Dial(t testing.TB, addr string, h Handshake) *Peer {
	t.Helper()
	peer, answer, err := h.Open(addr)
	if err != nil {
		t.Fatalf("handshake: %v", err)
	}
	if peer == nil {
		t.Fatalf("refused: %d %s", answer.Status, answer.Body)
	}
	peer.t = t
	peer.Session = answer.Header.Get("X-Session-Id")
	t.Cleanup(func() { peer.Close() })
	return peer
}

// Send writes frames in one write.
func (p *Peer) Send(frames ...Frame) {
	p.t.Helper()
	if err := p.TrySend(frames...); err != nil {
		p.t.Fatalf("send: %v", err)
	}
}

// TrySend is Send for a server that may have gone.
func (p *Peer) TrySend(frames ...Frame) error {
	var wire []byte
	for _, frame := range frames {
		wire = frame.Encode(wire)
	}
	_, err := p.Write(wire)
	return err
}

// Say sends text messages, each a frame, all in one write.
func (p *Peer) Say(texts ...string) {
	p.t.Helper()
	frames := make([]Frame, len(texts))
	for i, text := range texts {
		frames[i] = Text(text)
	}
	p.Send(frames...)
}

// Chopped writes frames a few bytes at a time.
func (p *Peer) Chopped(size int, frames ...Frame) {
	p.t.Helper()
	var wire []byte
	for _, frame := range frames {
		wire = frame.Encode(wire)
	}
	for len(wire) > 0 {
		n := min(size, len(wire))
		if _, err := p.Write(wire[:n]); err != nil {
			return // a server that fails fast has closed: what it said is still to be read
		}
		wire = wire[n:]
	}
}

// Read reads one frame within a time.
func (p *Peer) Read(within time.Duration) (Frame, error) {
	_ = p.SetReadDeadline(time.Now().Add(within))
	return ReadFrame(p.reader)
}

// Next reads one frame that has to come, heartbeats included.
func (p *Peer) Next() Frame {
	p.t.Helper()
	frame, err := p.Read(answerWithin)
	if err != nil {
		p.t.Fatalf("no frame: %v", err)
	}
	if frame.RSV != 0 || frame.NotFin {
		p.t.Fatalf("fragment or reserved bit: %v", frame)
	}
	return frame
}

// Object reads a text message that is one JSON object.
func (p *Peer) Object() map[string]any {
	p.t.Helper()
	frame := p.Next()
	if frame.Op != OpText {
		p.t.Fatalf("got %v, want a text message", frame)
	}
	var object map[string]any
	if err := json.Unmarshal(frame.Payload, &object); err != nil {
		p.t.Fatalf("not JSON: %v", frame)
	}
	return object
}

// Count reads replies until the count, which has to rise by one from the first wanted to the last.
func (p *Peer) Count(first int, last ...int) {
	p.t.Helper()
	until := first
	if len(last) > 0 {
		until = last[0]
	}
	for want := first; want <= until; want++ {
		object := p.Object()
		if object["count"] != float64(want) || len(object) != 1 {
			p.t.Fatalf("reply %v, want exactly {\"count\":%d}", object, want)
		}
	}
}

// Hello reads the session message that a baton.v1 client gets first.
func (p *Peer) Hello() map[string]any {
	p.t.Helper()
	object := p.Object()
	if object["type"] != "session" {
		p.t.Fatalf("first message %v, want type session", object)
	}
	return object
}

// Closed reads the close frame, which has to be the next, and then the end of the stream.
func (p *Peer) Closed(code int) Frame {
	p.t.Helper()
	frame := p.Next()
	if frame.Op != OpClose || frame.Code() != code {
		p.t.Fatalf("got %v, want close %d", frame, code)
	}
	p.Ended()
	return frame
}

// ClosedEventually is Closed for a stream with replies or heartbeats still before the close frame; it returns these.
func (p *Peer) ClosedEventually(code int) []Frame {
	p.t.Helper()
	var before []Frame
	for {
		frame := p.Next()
		if frame.Op != OpClose {
			before = append(before, frame)
			continue
		}
		if frame.Code() != code {
			p.t.Fatalf("got %v after %d frames, want close %d", frame, len(before), code)
		}
		p.Ended()
		return before
	}
}

// Ended checks that the server, having said close, hangs up without another byte. The peer answers the close as it should.
func (p *Peer) Ended() {
	p.t.Helper()
	_ = p.TrySend(Frame{Op: OpClose, Payload: []byte{3, 232}})
	_ = p.SetReadDeadline(time.Now().Add(endsWithin))
	rest, err := io.ReadAll(p.reader)
	if len(rest) > 0 {
		p.t.Errorf("%d bytes after the close frame: % x", len(rest), rest)
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		p.t.Errorf("still open %v after both close frames", endsWithin)
	}
}

// Silent checks that nothing is on its way: the answer to a ping is the next frame.
func (p *Peer) Silent() {
	p.t.Helper()
	mark := fmt.Sprintf("mark-%d", time.Now().UnixNano())
	p.Send(Frame{Op: OpPing, Payload: []byte(mark)})
	if frame := p.Next(); frame.Op != OpPong || string(frame.Payload) != mark {
		p.t.Fatalf("got %v, want nothing but the pong", frame)
	}
}

// Repeat is a list of n texts.
func Repeat(text string, n int) []string {
	return strings.Split(strings.Repeat(text+"\x00", n)[:n*(len(text)+1)-1], "\x00")
}

// NewPeer is a peer on a socket whose handshake is done.
func NewPeer(t testing.TB, socket net.Conn) *Peer {
	return &Peer{Conn: socket, reader: bufio.NewReader(socket), t: t}
}
