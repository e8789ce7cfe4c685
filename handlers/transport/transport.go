// Package transport moves bytes between sockets and connections, without
// knowing what they mean. Two cores do it behind the same interface: epoll
// loops on Linux, where an idle connection costs no goroutine, and a goroutine
// a connection elsewhere.
package transport

import (
	"errors"
	"net"
)

// ReadBuffer is how many bytes one read takes at most. What one read brought
// is one call of Readable, so it is also how much is coalesced.
const ReadBuffer = 64 << 10

// ErrClosed is returned by a socket that was closed here.
var ErrClosed = errors.New("transport: socket closed")

// Conn is what a socket's bytes are handed to. The calls for one socket never
// overlap but for Writable, which may come while Readable runs.
type Conn interface {
	// Opened is the first call: the socket serves this connection now.
	Opened()
	// Readable hands over what one read brought; b is valid, and may be
	// written to, until it returns. A RoundEnd follows.
	Readable(b []byte)
	// Writable tells, after AwaitWritable, that the socket takes bytes again.
	Writable()
	// Disconnected tells that nothing more will come: the peer ended or reset
	// the connection, or first one and then the other. The socket is still to be closed.
	Disconnected(err error)
}

// RoundEnd is called when a loop has read what there was to read from all of its
// sockets. It may take a moment: what comes meanwhile is the next round.
type RoundEnd func(loop int)

// Socket is one peer's connection.
type Socket interface {
	// Loop is the number of the loop that reads it, from 0.
	Loop() int
	// Write takes what the peer's window has room for, never waits, and tells
	// how much that was.
	Write(b []byte) (int, error)
	// AwaitWritable asks for one call of Writable.
	AwaitWritable()
	// PauseReading and ResumeReading are the back-pressure.
	PauseReading()
	ResumeReading()
	// CloseWrite tells the peer that nothing more will be sent.
	CloseWrite()
	// Close ends the connection; no call of Conn begins after it but one that
	// is on its way. Closing twice is harmless.
	Close()
}

// Core serves the sockets of one process.
type Core interface {
	// Attach takes a connection over and serves it. early are bytes that came
	// with the handshake. bind makes the connection for the socket; it is not
	// called when there is an error. The net.Conn is the core's from here on.
	Attach(nc *net.TCPConn, early []byte, bind func(Socket) Conn) error
	// Close ends the core's goroutines and waits for them; every socket must
	// have been closed.
	Close()
}
