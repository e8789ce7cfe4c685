package transport

import (
	"net"
	"testing"
)

// idle is a connection that does nothing.
type idle struct{}

func (idle) Opened()            {}
func (idle) Readable([]byte)    {}
func (idle) Writable()          {}
func (idle) Disconnected(error) {}

// attach has the core serve n new sockets.
func attach(t *testing.T, core *Epoll, n int) []Socket {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	var sockets []Socket
	for range n {
		peer, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = peer.Close() })
		nc, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if err := core.Attach(nc.(*net.TCPConn), nil, func(s Socket) Conn {
			sockets = append(sockets, s)
			return idle{}
		}); err != nil {
			t.Fatal(err)
		}
	}
	return sockets
}

func counts(sockets []Socket) map[int]int {
	found := map[int]int{}
	for _, s := range sockets {
		found[s.Loop()]++
	}
	return found
}

func TestAFewSocketsShareALoopAndManyAreSpread(t *testing.T) {
	core, err := NewEpoll(2, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	few := attach(t, core, together)
	if got := counts(few); got[0] != together {
		t.Errorf("the first %d sockets: %v, want all of them in loop 0", together, got)
	}
	many := attach(t, core, 3*together)
	if got := counts(append(few, many...)); got[0] != 2*together || got[1] != 2*together {
		t.Errorf("%d sockets: %v, want as many in each loop", 4*together, got)
	}
	for _, s := range append(few, many...) {
		s.Close()
		s.Close()
	}
	again := attach(t, core, 2)
	if got := counts(again); got[0] != 2 {
		t.Errorf("the next sockets when all had gone: %v, want them in loop 0", got)
	}
	for _, s := range again {
		s.Close()
	}
	core.Close()
}
