//go:build unix

package transport

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// Goroutines is the portable core: one goroutine a connection reads. It holds
// a buffer only while there is something to read.
type Goroutines struct {
	wg      sync.WaitGroup
	buffers sync.Pool
	ended   RoundEnd
	next    atomic.Int64
}

// NewGoroutines returns a core that needs nothing of the operating system but
// non-blocking sockets.
func NewGoroutines(ended RoundEnd) *Goroutines {
	return &Goroutines{ended: ended, buffers: sync.Pool{New: func() any { return new([ReadBuffer]byte) }}}
}

// Attach implements Core.
func (g *Goroutines) Attach(nc *net.TCPConn, early []byte, bind func(Socket) Conn) error {
	raw, err := nc.SyscallConn()
	if err != nil {
		_ = nc.Close()
		return err
	}
	s := &goSocket{nc: nc, raw: raw, core: g, number: int(g.next.Add(1))}
	s.resumed.L = &s.mu
	s.conn = bind(s)
	s.conn.Opened()
	if len(early) > 0 {
		s.readable(early)
	}
	g.wg.Go(s.readLoop)
	return nil
}

// Close implements Core.
func (g *Goroutines) Close() { g.wg.Wait() }

type goSocket struct {
	nc   *net.TCPConn
	raw  syscall.RawConn
	core *Goroutines
	conn Conn

	number int // counted up, for it is a loop of its own

	mu      sync.Mutex
	resumed sync.Cond
	paused  bool
	closed  bool
}

func (s *goSocket) readLoop() {
	for s.waitUnpaused() {
		if err := s.readOnce(); err != nil {
			if !errors.Is(err, net.ErrClosed) {
				s.conn.Disconnected(err)
			}
			return
		}
	}
}

func (s *goSocket) waitUnpaused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.paused && !s.closed {
		s.resumed.Wait()
	}
	return !s.closed
}

// readOnce waits for bytes without a buffer and borrows one to take them.
func (s *goSocket) readOnce() error {
	var n int
	var readErr error
	var buf *[ReadBuffer]byte
	err := s.raw.Read(func(fd uintptr) bool {
		buf = s.core.buffers.Get().(*[ReadBuffer]byte)
		n, readErr = read(int(fd), buf[:])
		if wouldBlock(readErr) {
			s.core.buffers.Put(buf)
			return false
		}
		return true
	})
	if err != nil {
		return net.ErrClosed
	}
	defer s.core.buffers.Put(buf)
	if readErr != nil {
		return readErr
	}
	s.readable(buf[:n])
	return nil
}

// readable is a round of its own.
func (s *goSocket) readable(b []byte) {
	s.conn.Readable(b)
	s.core.ended(s.Loop())
}

func (s *goSocket) Loop() int { return s.number }

func (s *goSocket) Write(b []byte) (int, error) {
	var n int
	var writeErr error
	err := s.raw.Write(func(fd uintptr) bool {
		n, writeErr = write(int(fd), b)
		return true
	})
	if err != nil {
		return 0, ErrClosed
	}
	return n, writeErr
}

func (s *goSocket) AwaitWritable() {
	s.core.wg.Go(func() {
		// Go's poller tells of a change only, and one that came before it was asked is lost: look first.
		if s.raw.Write(writable) == nil {
			s.conn.Writable()
		}
	})
}

// writable tells whether a write would take something, an error included.
func writable(fd uintptr) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	n, err := unix.Poll(fds, 0)
	return n > 0 || (err != nil && !errors.Is(err, unix.EINTR))
}

func (s *goSocket) PauseReading()  { s.setPaused(true) }
func (s *goSocket) ResumeReading() { s.setPaused(false) }

func (s *goSocket) setPaused(paused bool) {
	s.mu.Lock()
	s.paused = paused
	s.mu.Unlock()
	s.resumed.Signal()
}

func (s *goSocket) CloseWrite() { _ = s.nc.CloseWrite() }

func (s *goSocket) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.resumed.Signal()
	_ = s.nc.Close()
}

func wouldBlock(err error) bool { return errors.Is(err, unix.EAGAIN) }
