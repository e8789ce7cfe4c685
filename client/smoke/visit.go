// Package smoke checks a server with one real session.
package smoke

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"baton/client/wire"
)

const (
	closeGrace   = 2 * time.Second
	writeTimeout = 5 * time.Second
)

// Visit is one connection to one session: what to expect of it and what to do
// with it.
type Visit struct {
	URL      string
	Header   http.Header // added to the handshake
	Session  string      // empty: let the server name one
	Messages int         // to send, one after the other

	ExpectCount *uint64 // at open, before the first message
	ExpectColor string

	// Told is called when everything was checked, before Hold.
	Told func(Result)
	// Hold keeps the connection open for so long, or until ctx ends.
	Hold time.Duration
}

// Result is what a visit learned; its JSON form is read by promote.sh.
type Result struct {
	SessionID string `json:"session_id"`
	Count     uint64 `json:"count"` // after the messages
	Color     string `json:"color"`
	Instance  string `json:"instance"`
	Resumed   bool   `json:"resumed"`
}

// Run makes the visit. timeout bounds everything but Hold.
func (v Visit) Run(ctx context.Context, timeout time.Duration) (Result, error) {
	busy, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	dialer := &wire.Dialer{Header: v.Header, HandshakeTimeout: timeout}
	conn, hello, err := v.open(busy, dialer)
	if err != nil {
		return Result{}, fmt.Errorf("open %s: %w", v.URL, err)
	}
	defer conn.Close(busy, closeGrace)
	result := Result{SessionID: hello.SessionID, Count: hello.Count, Color: hello.Color, Instance: hello.Instance, Resumed: hello.Resumed}
	if err := v.check(conn, hello); err != nil {
		return result, err
	}
	deadline, _ := busy.Deadline()
	for range v.Messages {
		if err := exchange(conn, result.Count+1, deadline); err != nil {
			return result, err
		}
		result.Count++
	}
	if v.Told != nil {
		v.Told(result)
	}
	if v.Hold > 0 {
		return result, hold(ctx, conn, v.Hold)
	}
	return result, nil
}

// open connects with the clock as the attempt. A visit in the same millisecond
// as the one before it is a stale one: once, it is made again a moment later.
func (v Visit) open(ctx context.Context, dialer *wire.Dialer) (*wire.Conn, wire.Frame, error) {
	conn, hello, err := dialer.Baton(ctx, v.URL, v.Session, uint64(time.Now().UnixMilli()))
	var refused *wire.RefusedError
	if errors.As(err, &refused) && refused.Status == http.StatusConflict {
		time.Sleep(2 * time.Millisecond)
		return dialer.Baton(ctx, v.URL, v.Session, uint64(time.Now().UnixMilli()))
	}
	return conn, hello, err
}

func (v Visit) check(conn *wire.Conn, hello wire.Frame) error {
	if conn.SessionID != hello.SessionID {
		return fmt.Errorf("the handshake named the session %q (X-Session-Id), the session message %q", conn.SessionID, hello.SessionID)
	}
	if v.ExpectCount != nil && hello.Count != *v.ExpectCount {
		return fmt.Errorf("the session %s opened with count %d, expected %d", hello.SessionID, hello.Count, *v.ExpectCount)
	}
	if v.ExpectColor != "" && hello.Color != v.ExpectColor {
		return fmt.Errorf("the color %q answered, expected %q", hello.Color, v.ExpectColor)
	}
	return nil
}

// exchange sends one message and waits for the reply that counts it.
func exchange(conn *wire.Conn, want uint64, deadline time.Time) error {
	if err := conn.Write("smoke", writeTimeout); err != nil {
		return fmt.Errorf("send message %d: %w", want, err)
	}
	for {
		data, err := conn.ReadBefore(deadline)
		if err != nil {
			return fmt.Errorf("wait for the reply to message %d: %s", want, wire.Describe(err))
		}
		frame, err := wire.ParseFrame(data)
		if err != nil {
			return err
		}
		if frame.Type != wire.TypeReply {
			continue
		}
		if frame.Count != want {
			return fmt.Errorf("message %d was counted as %d", want, frame.Count)
		}
		return nil
	}
}
