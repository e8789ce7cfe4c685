package transport

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"sync"
	"syscall"
	"time"
)

// sendBuffer bounds what the kernel keeps for a peer that does not read, in
// bytes. Left alone it grows to megabytes a connection.
const sendBuffer = 64 << 10

// acceptPause is how long a failed accept is rested: long enough not to spin,
// short enough that a shutdown never waits for it.
const acceptPause = 50 * time.Millisecond

// spareShare and maxSpare say how many descriptors are kept free of peers, a part
// of RLIMIT_NOFILE: a connection to Redis that has to be made anew needs one, or
// a crowd that only connects would end the sessions of all others.
const (
	spareShare = 4
	maxSpare   = 64
)

// Listen listens on a TCP address; its connections are *Accepted.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	var config net.ListenConfig
	inner, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return &listener{Listener: inner, limit: descriptorLimit()}, nil
}

type listener struct {
	net.Listener
	limit int // a peer with a descriptor from here on is refused
}

// descriptorLimit is where the spare descriptors begin. A new one is always the
// lowest that is free, so that its number tells how many are in use.
func descriptorLimit() int {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return math.MaxInt
	}
	limit := int(min(files.Cur, math.MaxInt32))
	return limit - min(limit/spareShare, maxSpare)
}

func (l *listener) spare(tcp *net.TCPConn) bool {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return false
	}
	var spare bool
	return raw.Control(func(fd uintptr) { spare = fd >= uintptr(l.limit) }) == nil && spare
}

// Accept waits out what passes, such as a process that is out of descriptors:
// the HTTP server takes any error for the end, and would cut every session.
func (l *listener) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		switch {
		case err == nil && !l.spare(nc.(*net.TCPConn)):
			tcp := nc.(*net.TCPConn)
			_ = tcp.SetWriteBuffer(sendBuffer)
			return &Accepted{TCPConn: tcp}, nil
		case err == nil:
			_ = nc.Close()
		case passes(err):
			time.Sleep(acceptPause)
		default:
			return nil, err
		}
	}
}

func passes(err error) bool {
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
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
