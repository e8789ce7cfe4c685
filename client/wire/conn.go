// Package wire is one WebSocket connection to a Baton server and nothing
// above it: a handshake, frames, a close. It knows neither resume nor resend;
// package client adds those. Checkers use it directly, so that what they see
// is what the server sent.
package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/fasthttp/websocket"
)

const (
	maxFrameBytes   = 64 << 10 // of what a server sends; its own frames stay under 1 KiB
	readBufferBytes = 512
	closeWait       = time.Second // how long a close frame may wait for the socket
)

// Conn is one open connection. Read is for one goroutine, Write for one
// other; Ping, Bye and Abort are for any.
type Conn struct {
	// SessionID is what the handshake's X-Session-Id said.
	SessionID string
	// Attempt is the number the handshake carried; 0 for a plain client.
	Attempt uint64
	// Baton tells whether the server agreed to baton.v1.
	Baton bool

	ws    *websocket.Conn
	buf   bytes.Buffer
	heard atomic.Int64 // unix nanoseconds of the last frame
	watch watch
}

func newConn(ws *websocket.Conn) *Conn {
	c := &Conn{ws: ws, Baton: ws.Subprotocol() == Subprotocol}
	c.touch()
	ws.SetReadLimit(maxFrameBytes)
	ws.SetPongHandler(func(string) error { c.touch(); return nil })
	answer := ws.PingHandler()
	ws.SetPingHandler(func(data string) error { c.touch(); return answer(data) })
	return c
}

// Read returns the next text frame; it is valid until the next Read.
func (c *Conn) Read() ([]byte, error) {
	kind, r, err := c.ws.NextReader()
	if err != nil {
		return nil, c.why(err)
	}
	c.buf.Reset()
	if _, err := c.buf.ReadFrom(r); err != nil {
		return nil, c.why(err)
	}
	if kind != websocket.TextMessage {
		return nil, errors.New("the server sent a binary message")
	}
	c.touch()
	return c.buf.Bytes(), nil
}

// ReadBefore is Read with a deadline; past it the connection is spent.
func (c *Conn) ReadBefore(deadline time.Time) ([]byte, error) {
	_ = c.ws.SetReadDeadline(deadline)
	frame, err := c.Read()
	_ = c.ws.SetReadDeadline(time.Time{})
	return frame, err
}

// Write sends one text message, within timeout.
func (c *Conn) Write(text string, timeout time.Duration) error {
	_ = c.ws.SetWriteDeadline(time.Now().Add(timeout))
	w, err := c.ws.NextWriter(websocket.TextMessage)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	return w.Close()
}

// Ping asks the server for a sign of life.
func (c *Conn) Ping() error {
	return c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(closeWait))
}

// Heard is when the last frame, ping or pong arrived.
func (c *Conn) Heard() time.Time { return time.Unix(0, c.heard.Load()) }

// Bye sends close 1000 and gives the server grace to answer what it owes and
// close; Read goes on until then.
func (c *Conn) Bye(grace time.Duration) {
	frame := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	if err := c.ws.WriteControl(websocket.CloseMessage, frame, time.Now().Add(closeWait)); err != nil {
		c.Abort()
		return
	}
	c.Expire(grace)
}

// Expire lets Read go on for grace at most.
func (c *Conn) Expire(grace time.Duration) {
	_ = c.ws.SetReadDeadline(time.Now().Add(grace))
}

// Abort cuts the socket, without a close frame, and frees what Watch holds.
func (c *Conn) Abort() {
	c.watch.stop()
	_ = c.ws.NetConn().Close()
}

// Close says goodbye, reads what the server still owes, and frees the socket.
func (c *Conn) Close(ctx context.Context, grace time.Duration) {
	stop := context.AfterFunc(ctx, c.Abort)
	defer stop()
	c.Bye(grace)
	for {
		if _, err := c.Read(); err != nil {
			c.Abort()
			return
		}
	}
}

// UsableUntil is when the connection that ended with err could take a message
// for the last time, as far as can be known: one that fell silent died before
// that was noticed.
func (c *Conn) UsableUntil(err error) time.Time {
	if errors.Is(err, ErrSilent) {
		return c.Heard()
	}
	return time.Now()
}

func (c *Conn) why(err error) error {
	if c.watch.fellSilent() {
		return fmt.Errorf("%w: %w", ErrSilent, err)
	}
	return err
}

func (c *Conn) touch() { c.heard.Store(time.Now().UnixNano()) }

// CloseCode is the code err closed a connection with: 1006 if it was cut.
func CloseCode(err error) int {
	var closed *websocket.CloseError
	if errors.As(err, &closed) {
		return closed.Code
	}
	return websocket.CloseAbnormalClosure
}

// Describe says in a few words how a connection ended.
func Describe(err error) string {
	var closed *websocket.CloseError
	if errors.As(err, &closed) {
		return fmt.Sprintf("closed %d %q", closed.Code, closed.Text)
	}
	var socket *net.OpError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return "timed out"
	case errors.As(err, &socket): // without its addresses
		return socket.Op + ": " + socket.Err.Error()
	}
	return err.Error()
}
