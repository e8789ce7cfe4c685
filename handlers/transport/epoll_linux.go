package transport

import (
	"net"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// eventsPerWait is how many ready sockets one epoll_wait tells of at most.
const eventsPerWait = 256

// Epoll is the Linux core: a few loops wait for all sockets, each loop reading
// into one buffer. A socket that waits costs its entry in the table, no
// goroutine, no buffer, and nothing of Go's own poller.
type Epoll struct {
	loops []*loop
	wg    sync.WaitGroup
}

// NewEpoll starts n loops.
func NewEpoll(n int, ended RoundEnd) (*Epoll, error) {
	e := &Epoll{}
	for number := range n {
		l, err := newLoop(number, ended)
		if err != nil {
			e.Close()
			return nil, err
		}
		e.loops = append(e.loops, l)
		e.wg.Go(l.run)
	}
	return e, nil
}

// Attach implements Core.
func (e *Epoll) Attach(nc *net.TCPConn, early []byte, bind func(Socket) Conn) error {
	fd, err := takeOver(nc)
	if err != nil {
		return err
	}
	l := e.loopForNext()
	l.live.Add(1)
	s := &epollSocket{loop: l, fd: fd, interest: unix.EPOLLIN | unix.EPOLLRDHUP}
	s.conn = bind(s)
	s.conn.Opened()
	if len(early) > 0 {
		s.conn.Readable(early)
		l.ended(l.number)
	}
	if err := l.add(s); err != nil {
		s.conn.Disconnected(err)
	}
	return nil
}

// together is how many sockets one loop serves before the next loop gets any:
// what so few send makes larger groups together, at a fifth less of everybody's
// processor, and a shorter wait for the slowest.
const together = 256

// loopForNext is the first loop with few sockets, or else the one with the fewest.
func (e *Epoll) loopForNext() *loop {
	fewest := e.loops[0]
	for _, l := range e.loops {
		if l.live.Load() < together {
			return l
		}
		if l.live.Load() < fewest.live.Load() {
			fewest = l
		}
	}
	return fewest
}

// Close implements Core.
func (e *Epoll) Close() {
	for _, l := range e.loops {
		l.stop()
	}
	e.wg.Wait()
}

// takeOver duplicates the descriptor and closes Go's own, so that the socket
// leaves Go's poller and its memory.
func takeOver(nc *net.TCPConn) (int, error) {
	defer func() { _ = nc.Close() }()
	raw, err := nc.SyscallConn()
	if err != nil {
		return 0, err
	}
	var fd int
	var dupErr error
	if err := raw.Control(func(old uintptr) {
		fd, dupErr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
	}); err != nil {
		return 0, err
	}
	if dupErr != nil {
		return 0, os.NewSyscallError("dup", dupErr)
	}
	return fd, nil
}

// loop waits for its sockets and serves them one after the other. It waits in
// Go's own poller, of which its epoll set is one more descriptor: a thread of its
// own in epoll_wait would have to be woken, and to be given a processor, each time.
type loop struct {
	number  int
	ended   RoundEnd
	epfd    int
	set     *os.File     // of epfd, for Go's poller
	live    atomic.Int64 // sockets
	sockets table
	buf     [ReadBuffer]byte
}

func newLoop(number int, ended RoundEnd) (*loop, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create", err)
	}
	if err := unix.SetNonblock(epfd, true); err != nil { // or os.NewFile would not give it to the poller
		_ = unix.Close(epfd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return &loop{number: number, ended: ended, epfd: epfd, set: os.NewFile(uintptr(epfd), "epoll")}, nil
}

func (l *loop) stop() { _ = l.set.Close() }

func (l *loop) run() {
	events := make([]unix.EpollEvent, eventsPerWait)
	raw, err := l.set.SyscallConn()
	for err == nil {
		n := 0
		err = raw.Read(func(uintptr) bool {
			n = l.ready(events)
			return n > 0
		})
		for _, event := range events[:n] {
			l.serve(event)
		}
		l.ended(l.number)
	}
}

// ready tells what is ready now.
func (l *loop) ready(events []unix.EpollEvent) int {
	n, err := ready(l.epfd, events)
	if err != nil {
		panic(err) // a bug here, never a peer's doing
	}
	return n
}

// serve acts on one event. An event may be of a socket that was closed since,
// or even of another that got its number: then the read or write finds nothing.
func (l *loop) serve(event unix.EpollEvent) {
	s := l.sockets.get(int(event.Fd))
	if s == nil {
		return
	}
	if event.Events&unix.EPOLLOUT != 0 && s.disarmWritable() {
		s.conn.Writable()
	}
	if event.Events&(unix.EPOLLIN|unix.EPOLLRDHUP) != 0 {
		s.read(l.buf[:])
	} else if event.Events&(unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		s.hangUp()
	}
}

func (l *loop) add(s *epollSocket) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	l.sockets.set(s.fd, s)
	s.added = true
	event := unix.EpollEvent{Events: s.interest, Fd: int32(s.fd)}
	if err := unix.EpollCtl(l.epfd, unix.EPOLL_CTL_ADD, s.fd, &event); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	return nil
}
