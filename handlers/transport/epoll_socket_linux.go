package transport

import (
	"sync"

	"golang.org/x/sys/unix"
)

// epollSocket is a socket of a loop.
type epollSocket struct {
	loop *loop
	conn Conn

	mu       sync.Mutex // of the descriptor: no call on a number that was closed
	fd       int
	interest uint32
	added    bool
	closed   bool
	ended    bool // the peer sends nothing more
}

// read takes what is there once; level-triggered epoll tells again of the rest.
func (s *epollSocket) read(buf []byte) {
	s.mu.Lock()
	if s.closed || s.ended || s.interest&unix.EPOLLIN == 0 {
		s.mu.Unlock()
		return
	}
	n, err := read(s.fd, buf)
	if err != nil && !wouldBlock(err) {
		s.ended = true
		s.setInterest(s.interest &^ (unix.EPOLLIN | unix.EPOLLRDHUP))
	}
	s.mu.Unlock()
	switch {
	case err == nil:
		s.conn.Readable(buf[:n])
	case !wouldBlock(err):
		s.conn.Disconnected(err)
	}
}

// hangUp is for a socket that was reset while it was not being read, also one
// whose peer had ended its side before: epoll would tell of it for ever. Of a
// socket that is read the event tells nothing: it was meant for one closed since.
func (s *epollSocket) hangUp() {
	s.mu.Lock()
	if s.closed || s.interest&unix.EPOLLIN != 0 {
		s.mu.Unlock()
		return
	}
	s.ended = true
	s.mu.Unlock()
	s.conn.Disconnected(unix.ECONNRESET)
}

func (s *epollSocket) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, ErrClosed
	}
	return write(s.fd, b)
}

func (s *epollSocket) Loop() int { return s.loop.number }

func (s *epollSocket) AwaitWritable() { s.change(unix.EPOLLOUT, 0) }
func (s *epollSocket) PauseReading()  { s.change(0, unix.EPOLLIN|unix.EPOLLRDHUP) }
func (s *epollSocket) ResumeReading() { s.change(unix.EPOLLIN|unix.EPOLLRDHUP, 0) }

func (s *epollSocket) change(set, clear uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed && !(s.ended && set&unix.EPOLLIN != 0) {
		s.setInterest(s.interest&^clear | set)
	}
}

// disarmWritable takes the request for Writable back and tells whether there was one.
func (s *epollSocket) disarmWritable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.interest&unix.EPOLLOUT == 0 {
		return false
	}
	s.setInterest(s.interest &^ unix.EPOLLOUT)
	return true
}

func (s *epollSocket) setInterest(interest uint32) {
	if interest == s.interest {
		return
	}
	s.interest = interest
	if s.added {
		event := unix.EpollEvent{Events: interest, Fd: int32(s.fd)}
		_ = unix.EpollCtl(s.loop.epfd, unix.EPOLL_CTL_MOD, s.fd, &event)
	}
}

func (s *epollSocket) CloseWrite() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		_ = unix.Shutdown(s.fd, unix.SHUT_WR)
	}
}

func (s *epollSocket) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	s.loop.live.Add(-1)
	if s.added {
		s.loop.sockets.set(s.fd, nil)
	}
	_ = unix.Close(s.fd) // leaves the epoll set by itself: it is the last descriptor of the socket
}
