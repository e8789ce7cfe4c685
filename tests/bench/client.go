//go:build linux

package bench

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"syscall"
	"time"

	"baton/tests/harness"
)

const (
	readBuffer = 4096 // bytes: a few hundred replies
	endpoints  = 20   // loopback addresses to come from, 127.0.0.1 upwards: each has its own ports
	opText     = 0x81 // a whole text message
)

// client is one connection: raw frames over a raw socket.
type client struct {
	fd       int
	wire     []byte // as many messages as may be on the way
	message  int    // bytes of one
	rest     []byte // a frame's beginning
	count    int
	sentAt   []time.Time // a ring: replies come in order
	head     int
	incoming []byte
}

func dial(port, number, inFlight int) (*client, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	from := &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(1 + number%endpoints)}}
	if err := errors.Join(
		syscall.Bind(fd, from),
		syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1}), // a reset leaves no TIME_WAIT
		syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1),
		syscall.Connect(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}),
	); err != nil {
		return nil, err
	}
	c := &client{fd: fd, sentAt: make([]time.Time, inFlight)}
	one := harness.Text("hello, count").Encode(nil)
	c.wire, c.message = bytes.Repeat(one, inFlight), len(one)
	if err := c.shake(number); err != nil {
		return nil, err
	}
	return c, syscall.SetNonblock(fd, true)
}

func (c *client) shake(number int) error {
	session := fmt.Sprintf("00000000-0000-4000-8000-%012x", time.Now().UnixMilli()<<14&(1<<48-1)+int64(number))
	if _, err := syscall.Write(c.fd, harness.Handshake{Session: session}.Bytes("localhost")); err != nil {
		return err
	}
	var answer []byte
	buffer := make([]byte, 1024)
	for !bytes.Contains(answer, []byte("\r\n\r\n")) {
		n, err := syscall.Read(c.fd, buffer)
		if err != nil || n == 0 {
			return fmt.Errorf("handshake: %w after %q", err, answer)
		}
		answer = append(answer, buffer[:n]...)
	}
	if !bytes.HasPrefix(answer, []byte("HTTP/1.1 101 ")) {
		return fmt.Errorf("refused: %q", answer)
	}
	return nil
}

// send writes messages, which together are so few that a socket that is read always takes them.
func (c *client) send(messages int, now time.Time) error {
	if messages == 0 {
		return nil
	}
	size := messages * c.message
	if n, err := syscall.Write(c.fd, c.wire[:size]); err != nil || n != size {
		return fmt.Errorf("write of %d took %d: %w", size, n, err)
	}
	for i := range messages {
		c.sentAt[(c.head+i)%len(c.sentAt)] = now
	}
	c.head += messages
	return nil
}

// receive reads once, checks every reply and says how many there were.
func (c *client) receive(now time.Time, times *latencies) (int, error) {
	if c.incoming == nil {
		c.incoming = make([]byte, readBuffer)
	}
	n, err := syscall.Read(c.fd, c.incoming)
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
	for len(data) >= 2 && len(data) >= 2+int(data[1]) {
		payload := data[2 : 2+int(data[1])]
		counted, err := c.reply(data[0], payload)
		if err != nil {
			return replies, err
		}
		if counted {
			times.add(now.Sub(c.sentAt[(c.head-len(c.sentAt)+replies)%len(c.sentAt)]))
			replies++
		}
		data = data[2+len(payload):]
	}
	c.rest = append(c.rest[:0], data...)
	return replies, nil
}

// reply checks one frame: the next count, or something that is no reply.
func (c *client) reply(first byte, payload []byte) (bool, error) {
	digits, isCount := bytes.CutPrefix(payload, []byte(`{"count":`))
	if first != opText {
		return false, fmt.Errorf("frame %#x %q", first, payload)
	}
	if !isCount {
		return false, nil // a heartbeat
	}
	count, err := strconv.Atoi(string(bytes.TrimSpace(bytes.TrimSuffix(digits, []byte("}")))))
	if err != nil || count != c.count+1 {
		return false, fmt.Errorf("reply %q after %d", payload, c.count)
	}
	c.count = count
	return true, nil
}
