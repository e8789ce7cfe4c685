package harness

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const backendWithin = time.Second

// Balancer hands TCP connections to several servers in turn and passes over those that do not answer.
// It stands for the load balancer, and for the network when that is cut or has Weather.
type Balancer struct {
	Addr     string
	backends []string
	next     atomic.Uint64
	listener net.Listener
	running  sync.WaitGroup
	mu       sync.Mutex
	open     map[net.Conn]struct{}
	closed   bool
	network
}

// Balance starts a balancer that ends with the test.
func Balance(t testing.TB, backends ...string) *Balancer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &Balancer{Addr: listener.Addr().String(), backends: backends, listener: listener, open: map[net.Conn]struct{}{}}
	b.running.Go(b.accept)
	t.Cleanup(func() {
		listener.Close()
		b.Set(Weather{})
		b.mu.Lock()
		b.closed = true
		b.mu.Unlock()
		b.Cut(1)
		b.running.Wait()
	})
	return b
}

// Cut drops every n-th open connection, as a broken network does, and returns how many.
func (b *Balancer) Cut(n int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	seen, cut := 0, 0
	for socket := range b.open {
		if seen++; seen%n == 0 {
			socket.Close()
			cut++
		}
	}
	return cut
}

func (b *Balancer) accept() {
	for {
		client, err := b.listener.Accept()
		if err != nil {
			return
		}
		b.running.Go(func() { b.serve(client) })
	}
}

func (b *Balancer) serve(client net.Conn) {
	defer client.Close()
	server := b.dial()
	if server == nil {
		return
	}
	defer server.Close()
	if !b.track(client) {
		return
	}
	defer b.forget(client)
	var back sync.WaitGroup
	back.Go(func() { b.carry(server, client) })
	b.carry(client, server)
	back.Wait()
}

func (b *Balancer) dial() net.Conn {
	for range b.backends {
		addr := b.backends[b.next.Add(1)%uint64(len(b.backends))]
		if socket, err := net.DialTimeout("tcp", addr, backendWithin); err == nil {
			return socket
		}
	}
	return nil
}

func (b *Balancer) track(client net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open[client] = struct{}{}
	return !b.closed
}

func (b *Balancer) forget(client net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, client)
}
