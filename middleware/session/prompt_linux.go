package session

import (
	"context"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// soon is how long an answer is waited for in the kernel: a few round trips on
	// one machine, and short for whoever the runtime does not see to meanwhile.
	soon = 200 * time.Microsecond
	// smallRequest is up to how many bytes are one command, not a group of them.
	smallRequest = 512
)

// promptly has the connections that dial makes wait in the kernel for the answer
// to one small request, while answers come soon. To put the goroutine aside and
// to find it again costs the runtime more than such a commit: where there is no
// group it would be a tenth of the whole message. One connection at a time does
// so: a thread waits with it, and nobody looks after other descriptors.
func promptly(dial dialer) dialer {
	waiting := &atomic.Bool{}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		socket, ok := nc.(syscall.Conn)
		if !ok { // TLS: what is readable may not be an answer
			return nc, nil
		}
		raw, err := socket.SyscallConn()
		if err != nil {
			_ = nc.Close()
			return nil, err
		}
		c := &promptConn{Conn: nc, raw: raw, waiting: waiting, made: time.Now()}
		c.await = c.poll // once: it is called for each answer
		return c, nil
	}
}

// promptConn is a connection to Redis. One goroutine reads; another may write
// meanwhile, as to a subscription.
type promptConn struct {
	net.Conn
	raw     syscall.RawConn
	waiting *atomic.Bool // one of the dialer's connections waits in the kernel
	await   func(fd uintptr)
	made    time.Time
	asked   atomic.Int64 // when the last small request was sent, since made; 0: the last was not small
	prompt  bool         // the last answer to a small request came soon
	poller  [1]unix.PollFd
}

// SyscallConn implements syscall.Conn: the client looks whether the connection was closed.
func (c *promptConn) SyscallConn() (syscall.RawConn, error) { return c.raw, nil }

func (c *promptConn) Write(b []byte) (int, error) {
	var asked time.Duration
	if len(b) <= smallRequest {
		asked = time.Since(c.made)
	}
	c.asked.Store(int64(asked))
	return c.Conn.Write(b)
}

func (c *promptConn) Read(b []byte) (int, error) {
	asked := c.asked.Load()
	if c.prompt && asked > 0 && c.waiting.CompareAndSwap(false, true) {
		_ = c.raw.Control(c.await) // Read tells of a closed connection
		c.waiting.Store(false)
	}
	n, err := c.Conn.Read(b)
	c.prompt = err == nil && asked > 0 && time.Since(c.made)-time.Duration(asked) < soon
	return n, err
}

func (c *promptConn) poll(fd uintptr) {
	c.poller[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	limit := unix.NsecToTimespec(int64(soon))
	_, _ = unix.Ppoll(c.poller[:], &limit, nil) // too early or in vain: Read waits on
}
