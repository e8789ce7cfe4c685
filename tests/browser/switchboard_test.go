package browser

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// front sends new connections to one server and leaves those that are open where they are, as the load balancer's switch does.
type front struct {
	addr    string
	active  atomic.Value // string
	running sync.WaitGroup

	mu   sync.Mutex
	open []net.Conn // all there ever were
}

func switchboard(t *testing.T, active string) *front {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{addr: listener.Addr().String()}
	f.to(active)
	f.running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			f.running.Go(func() { f.serve(client) })
		}
	})
	t.Cleanup(func() { listener.Close() })
	return f
}

func (f *front) to(addr string) { f.active.Store(addr) }

// cut ends every connection, as a network does that goes away.
func (f *front) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, client := range f.open {
		client.Close()
	}
}

func (f *front) serve(client net.Conn) {
	defer client.Close()
	f.mu.Lock()
	f.open = append(f.open, client)
	f.mu.Unlock()
	server, err := net.Dial("tcp", f.active.Load().(string))
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client)
		server.Close()
	}()
	_, _ = io.Copy(client, server)
}
