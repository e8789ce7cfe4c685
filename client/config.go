package client

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"

	"baton/client/wire"
)

// Defaults of Config.
const (
	DefaultQueueSize    = 1024 // messages
	DefaultBackoffMin   = 100 * time.Millisecond
	DefaultBackoffMax   = 10 * time.Second
	DefaultWriteTimeout = 10 * time.Second
	DefaultKeepAlive    = 10 * time.Second
)

// Config says whom to talk to and how. Only URL is needed.
type Config struct {
	// URL of the server, such as wss://example.com/ws/chat/.
	URL string
	// SessionID to join. Empty: a new UUIDv4, or what the server names where it
	// signs ids.
	SessionID string
	ownName   bool // SessionID was made here
	// Resume carries on from what an earlier client's Snapshot said, also in
	// another process. Its SessionID wins over the one above.
	Resume *Snapshot

	// QueueSize is how many messages may wait for their acknowledgement.
	QueueSize int
	// BackoffMin and BackoffMax bound the waits between attempts to connect:
	// the nth is random between 0 and BackoffMin·2ⁿ, at most BackoffMax.
	BackoffMin, BackoffMax time.Duration
	// HandshakeTimeout is for dialing, upgrading and the session message.
	HandshakeTimeout time.Duration
	// WriteTimeout is for one message to leave.
	WriteTimeout time.Duration
	// KeepAlive is the silence after which the server is asked for a sign of
	// life; after twice as much more the connection is given up.
	KeepAlive time.Duration
	// NoHandover leaves a draining connection only when the server closes it.
	NoHandover bool

	// Dialer opens the connections. Clients of one process may share one, and
	// with it their buffers. Nil: one of its own, made of the three below.
	Dialer *wire.Dialer
	// Header is added to each handshake: cookies, authorization, an Origin.
	Header  http.Header
	TLS     *tls.Config
	NetDial func(ctx context.Context, network, addr string) (net.Conn, error)

	// Events tells what happens, Trace every step of it.
	Events Events
	Trace  Trace
}

func (c Config) withDefaults() (Config, error) {
	if c.URL == "" {
		return c, errors.New("client: Config.URL is empty")
	}
	if c.Resume != nil {
		c.SessionID = c.Resume.SessionID
	}
	if c.SessionID == "" {
		c.SessionID, c.ownName = newSessionID(), true
	}
	if c.Dialer == nil {
		c.Dialer = &wire.Dialer{Header: c.Header, TLS: c.TLS, NetDial: c.NetDial, HandshakeTimeout: c.HandshakeTimeout}
	}
	orDefault(&c.QueueSize, DefaultQueueSize)
	orDefault(&c.BackoffMin, DefaultBackoffMin)
	orDefault(&c.BackoffMax, DefaultBackoffMax)
	orDefault(&c.WriteTimeout, DefaultWriteTimeout)
	orDefault(&c.KeepAlive, DefaultKeepAlive)
	return c, nil
}

func orDefault[T int | time.Duration](value *T, fallback T) {
	if *value <= 0 {
		*value = fallback
	}
}
