package transport

import (
	"context"
	"fmt"
	"net"
	"sync"
)

// sendBuffer bounds what the kernel keeps for a peer that does not read, in
// bytes. Left alone it grows to megabytes a connection.
const sendBuffer = 64 << 10

// Listen listens on a TCP address; its connections are *Accepted.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	var config net.ListenConfig
	inner, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return &listener{inner}, nil
}

type listener struct{ net.Listener }

func (l *listener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tcp := nc.(*net.TCPConn)
	_ = tcp.SetWriteBuffer(sendBuffer)
	return &Accepted{TCPConn: tcp}, nil
}

// Accepted is a connection that the HTTP server still holds.
type Accepted struct {
	*net.TCPConn
	mu      sync.Mutex
	onClose func()
}

// OnClose sets what Close does besides, once; nil takes it back. It is how a
// handshake whose answer could not be written gives back what it took.
func (a *Accepted) OnClose(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.onClose = f
}

// Close implements net.Conn.
func (a *Accepted) Close() error {
	a.mu.Lock()
	f := a.onClose
	a.onClose = nil
	a.mu.Unlock()
	if f != nil {
		f()
	}
	return a.TCPConn.Close()
}
