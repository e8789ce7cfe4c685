package transport

import (
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls here never wait, and so they do without what Go does around a call that may: it would have the runtime's
// monitor look after each of them, 50,000 times a second, at a fifth of the whole cost of a message.

// read is one recv(2) that tells the peer's end as io.EOF.
func read(fd int, b []byte) (int, error) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return 0, errno
		case 0:
			if n == 0 {
				return 0, io.EOF
			}
			return int(n), nil
		default:
			return 0, os.NewSyscallError("recv", errno)
		}
	}
}

// write is one send(2); a full window is no error but few bytes.
func write(fd int, b []byte) (int, error) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		switch errno {
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return 0, nil
		case 0:
			return int(n), nil
		default:
			return 0, os.NewSyscallError("send", errno)
		}
	}
}

// ready is one epoll_wait(2) that does not wait.
func ready(epfd int, events []unix.EpollEvent) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0)
	switch errno {
	case unix.EINTR:
		return 0, nil
	case 0:
		return int(n), nil
	default:
		return 0, os.NewSyscallError("epoll_wait", errno)
	}
}
