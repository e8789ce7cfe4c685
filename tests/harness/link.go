package harness

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"
)

// Link is the network before one server: what is cut stays connected, as far as either end can tell, and hears nothing.
type Link struct {
	Addr     string
	backend  string
	listener net.Listener
	running  sync.WaitGroup
	mu       sync.Mutex
	open     map[*linked]struct{}
	cuts     Cut
	closed   bool
}

// Cut says whose connections hear nothing.
type Cut int

// Clients of Redis begin with the command HELLO; its replicas and Sentinels don't.
const (
	CutNobody Cut = iota
	CutPeers      // replicas and Sentinels
	CutClients
	CutAll
)

// linked is one connection over the link, from and to.
type linked struct {
	from, to net.Conn
	client   bool
}

// StartLink listens for a backend until the test ends.
func StartLink(t testing.TB, backend string) *Link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &Link{Addr: listener.Addr().String(), backend: backend, listener: listener, open: map[*linked]struct{}{}}
	l.running.Go(l.accept)
	t.Cleanup(func() {
		listener.Close()
		l.mu.Lock()
		l.closed = true
		for c := range l.open {
			c.close()
		}
		l.mu.Unlock()
		l.running.Wait()
	})
	return l
}

// Cut silences connections, those that are there and those to come, until Mend.
func (l *Link) Cut(whose Cut) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cuts = whose
}

// Mend ends what was cut, as a network that comes back resets what it lost track of, and lets new connections through.
func (l *Link) Mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		if l.cut(c) {
			c.close()
		}
	}
	l.cuts = CutNobody
}

func (l *Link) cut(c *linked) bool {
	return l.cuts == CutAll || l.cuts == CutClients && c.client || l.cuts == CutPeers && !c.client
}

func (l *Link) accept() {
	for {
		from, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.running.Go(func() { l.serve(from) })
	}
}

func (l *Link) serve(from net.Conn) {
	defer from.Close()
	first := make([]byte, 4096)
	n, err := from.Read(first)
	if err != nil {
		return
	}
	to, err := net.DialTimeout("tcp", l.backend, backendWithin)
	if err != nil {
		return
	}
	c := &linked{from: from, to: to, client: bytes.Contains(bytes.ToUpper(first[:n]), []byte("$5\r\nHELLO\r\n"))}
	defer c.close()
	l.mu.Lock()
	l.open[c] = struct{}{}
	ended := l.closed
	l.mu.Unlock()
	defer l.forget(c)
	if ended {
		return
	}
	var back sync.WaitGroup
	back.Go(func() { l.pass(c, to, from, nil) })
	l.pass(c, from, to, first[:n])
	back.Wait()
}

// pass hands on one direction, and holds it back while the connection is cut.
func (l *Link) pass(c *linked, from, to net.Conn, first []byte) {
	defer c.close()
	buffer := make([]byte, 64<<10)
	for data := first; ; {
		for l.silent(c) {
			time.Sleep(pollEvery)
		}
		if _, err := to.Write(data); err != nil {
			return
		}
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		data = buffer[:n]
	}
}

// silent tells whether the connection hears nothing for now; a closed one is found out by whoever writes.
func (l *Link) silent(c *linked) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, there := l.open[c]
	return there && !l.closed && l.cut(c)
}

func (l *Link) forget(c *linked) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
}

func (c *linked) close() {
	c.from.Close()
	c.to.Close()
}
