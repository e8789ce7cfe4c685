//go:build linux

package bench

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"baton/tests/harness"
)

const (
	readBuffer = 4096 // bytes: a few hundred replies
	endpoints  = 20   // loopback addresses to come from, 127.0.0.1 upwards: each has its own ports
	opText     = 0x81 // a whole text message

	ipBindAddressNoPort = 24 // IP_BIND_ADDRESS_NO_PORT of linux/in.h, which package syscall lacks
)

// wire is what a server speaks: Baton's plain wire, or RPCs of centrifuge's JSON protocol.
type wire int

const (
	counts wire = iota
	rpc
)

// message is one message as the wire has it.
func (w wire) message() []byte {
	if w == rpc {
		return harness.Text(`{"id":2,"rpc":{"method":"count","data":"hello, count"}}`).Encode(nil)
	}
	return harness.Text("hello, count").Encode(nil)
}

// client is one connection: raw frames over a raw socket.
type client struct {
	fd       int
	number   int
	wire     []byte // as many messages as may be on the way
	message  int    // bytes of one
	rest     []byte // a frame's beginning
	count    int
	next     []byte          // the payload of the reply that is due, as Baton writes it
	sentAt   []time.Duration // since the process's start; a ring: replies come in order
	newest   int             // where the next message's time goes
	oldest   int             // where the next reply's message has its time
	incoming []byte
}

// dial connects and sends the handshake; shaken takes the answer.
func dial(o order, number int) (*client, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	from := &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(1 + number%endpoints)}}
	if err := errors.Join(
		syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, ipBindAddressNoPort, 1), // the port is chosen when it is known to where
		syscall.Bind(fd, from),
		syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1}), // a reset leaves no TIME_WAIT
		syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1),
		syscall.Connect(fd, &syscall.SockaddrInet4{Port: o.Port, Addr: [4]byte{127, 0, 0, 1}}),
	); err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	one := o.Wire.message()
	c := &client{fd: fd, number: number, sentAt: make([]time.Duration, o.InFlight), wire: bytes.Repeat(one, o.InFlight), message: len(one)}
	c.expect(1)
	session := fmt.Sprintf("00000000-0000-4000-8000-%012x", time.Now().UnixMilli()<<16&(1<<48-1)+int64(number))
	_, err = syscall.Write(fd, harness.Handshake{Session: session}.Bytes("localhost"))
	return c, err
}

// shaken waits for the answer to the handshake, and logs in where the wire has that.
func (c *client) shaken(w wire) error {
	answer, err := c.await("\r\n\r\n")
	if err != nil || !strings.HasPrefix(answer, "HTTP/1.1 101 ") {
		return fmt.Errorf("handshake: %q %w", answer, err)
	}
	if w == rpc {
		if _, err := syscall.Write(c.fd, harness.Text(`{"id":1,"connect":{}}`).Encode(nil)); err != nil {
			return err
		}
		if answer, err := c.await(`}}`); err != nil || !strings.Contains(answer, `"connect":{`) {
			return fmt.Errorf("connect: %q %w", answer, err)
		}
	}
	return syscall.SetNonblock(c.fd, true)
}

func (c *client) await(end string) (string, error) {
	var answer []byte
	buffer := make([]byte, 1024)
	for !bytes.HasSuffix(answer, []byte(end)) {
		n, err := syscall.Read(c.fd, buffer)
		if err != nil || n == 0 {
			return string(answer), fmt.Errorf("the server hung up: %w", err)
		}
		answer = append(answer, buffer[:n]...)
	}
	return string(answer), nil
}

// send writes messages, which together are so few that a socket that is read always takes them.
func (c *client) send(messages int, now time.Duration) error {
	if messages == 0 {
		return nil
	}
	size := messages * c.message
	if n, err := write(c.fd, c.wire[:size]); err != nil || n != size {
		return fmt.Errorf("write of %d took %d: %w", size, n, err)
	}
	for range messages {
		c.sentAt[c.newest] = now
		c.newest = c.after(c.newest)
	}
	return nil
}

// after is the place behind i in the ring.
func (c *client) after(i int) int {
	if i++; i == len(c.sentAt) {
		return 0
	}
	return i
}

// receive reads once, checks every reply and says how many there were.
func (c *client) receive(now time.Duration, times *latencies) (int, error) {
	if c.incoming == nil {
		c.incoming = make([]byte, readBuffer)
	}
	n, err := read(c.fd, c.incoming)
	if errors.Is(err, syscall.EAGAIN) {
		return 0, nil
	}
	if err != nil || n == 0 {
		return 0, fmt.Errorf("the server hung up: %w", err)
	}
	data := c.incoming[:n]
	if len(c.rest) > 0 {
		data = append(c.rest, data...)
	}
	replies := 0
	for {
		first, payload, size := cut(data)
		if size == 0 {
			break
		}
		counted, err := c.replies(first, payload)
		if err != nil {
			return replies, err
		}
		for range counted {
			times.add(now - c.sentAt[c.oldest])
			c.oldest = c.after(c.oldest)
		}
		replies += counted
		data = data[size:]
	}
	c.rest = append(c.rest[:0], data...)
	return replies, nil
}

// cut takes one unmasked frame off; size 0: there is not all of it.
func cut(data []byte) (first byte, payload []byte, size int) {
	const short = 126 // the length is in the next two bytes
	if len(data) < 2 {
		return 0, nil, 0
	}
	from, length := 2, int(data[1])
	if length == short {
		if len(data) < 4 {
			return 0, nil, 0
		}
		from, length = 4, int(binary.BigEndian.Uint16(data[2:]))
	}
	if len(data) < from+length {
		return 0, nil, 0
	}
	return data[0], data[from : from+length], from + length
}

var countField = []byte(`{"count":`)

// replies checks one frame and says how many replies are in it: centrifuge joins them by lines.
func (c *client) replies(first byte, payload []byte) (int, error) {
	if first == opText && bytes.Equal(payload, c.next) {
		c.count++
		c.expectNext()
		return 1, nil
	}
	n := 0
	for line := range bytes.SplitSeq(payload, []byte("\n")) {
		counted, err := c.reply(first, line)
		if err != nil {
			return n, err
		}
		if counted {
			n++
		}
	}
	return n, nil
}

func (c *client) expect(count int) {
	c.next = append(strconv.AppendInt(append(c.next[:0], countField...), int64(count), 10), '}')
}

// expectNext adds one to the digits where they stand: to write them anew would be a third of what a reply costs here.
func (c *client) expectNext() {
	for i := len(c.next) - len("}") - 1; i >= len(countField); i-- {
		if c.next[i]++; c.next[i] <= '9' {
			return
		}
		c.next[i] = '0'
	}
	c.expect(c.count + 1) // a digit more
}

// reply checks one line: the next count, or something that is no reply.
func (c *client) reply(first byte, payload []byte) (bool, error) {
	if first != opText {
		return false, fmt.Errorf("frame %#x %q", first, payload)
	}
	_, digits, isCount := bytes.Cut(payload, countField)
	if !isCount {
		return false, nil // a heartbeat
	}
	count, err := strconv.Atoi(string(bytes.TrimSpace(bytes.TrimRight(digits, "}"))))
	if err != nil || count != c.count+1 {
		return false, fmt.Errorf("reply %q after %d", payload, c.count)
	}
	c.count = count
	c.expect(count + 1)
	return true, nil
}

// Neither read nor write ever waits, so Go's scheduler need not be told of them: the load shall leave the machine to
// those that are measured.
func read(fd int, b []byte) (int, error) {
	return counted(syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b))))
}

func write(fd int, b []byte) (int, error) {
	return counted(syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b))))
}

func counted(n, _ uintptr, errno syscall.Errno) (int, error) {
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
