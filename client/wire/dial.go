package wire

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fasthttp/websocket"
)

// Subprotocol is what a resuming client offers.
const Subprotocol = "baton.v1"

const writeBufferBytes = 4 << 10 // a longer message leaves in fragments

// Dialer opens connections. The zero value works; its fields are read only.
// One Dialer for many clients shares their write buffers.
type Dialer struct {
	Header           http.Header // added to each handshake
	TLS              *tls.Config
	NetDial          func(ctx context.Context, network, addr string) (net.Conn, error)
	HandshakeTimeout time.Duration // of dialing and upgrading together; 0: 10s

	buffers sync.Pool
}

// DefaultHandshakeTimeout is longer than a server's default COMMIT_TIMEOUT
// (5s), so that its own refusal is heard first.
const DefaultHandshakeTimeout = 10 * time.Second

// Plain opens a connection without a subprotocol. An empty session asks the
// server to make one. A refused handshake is a *RefusedError.
func (d *Dialer) Plain(ctx context.Context, rawURL, session string) (*Conn, error) {
	return d.dial(ctx, rawURL, session, 0)
}

// Baton opens a baton.v1 connection and reads its session message. attempt
// has to be higher than that of every connection before, see package client.
func (d *Dialer) Baton(ctx context.Context, rawURL, session string, attempt uint64) (*Conn, Frame, error) {
	conn, err := d.dial(ctx, rawURL, session, attempt)
	if err != nil {
		return nil, Frame{}, err
	}
	stop := context.AfterFunc(ctx, conn.Abort)
	defer stop()
	if !conn.Baton {
		conn.Abort()
		return nil, Frame{}, ErrNotBaton
	}
	hello, err := conn.awaitSession(time.Now().Add(d.timeout()))
	if err != nil {
		conn.Abort()
		return nil, Frame{}, fmt.Errorf("wait for the session message: %w", err)
	}
	return conn, hello, nil
}

func (d *Dialer) dial(ctx context.Context, rawURL, session string, attempt uint64) (*Conn, error) {
	target, err := address(rawURL, session, attempt)
	if err != nil {
		return nil, err
	}
	ws, answer, err := d.upgrade(ctx, target, attempt > 0)
	if err != nil {
		if answer != nil && answer.StatusCode != http.StatusSwitchingProtocols {
			return nil, refused(answer)
		}
		return nil, err
	}
	conn := newConn(ws)
	conn.SessionID, conn.Attempt = answer.Header.Get("X-Session-Id"), attempt
	return conn, nil
}

// upgrade is the library's handshake, made to end when ctx does: by itself
// the library only knows deadlines.
func (d *Dialer) upgrade(ctx context.Context, target string, baton bool) (*websocket.Conn, *http.Response, error) {
	dialer := websocket.Dialer{
		Proxy:            http.ProxyFromEnvironment,
		TLSClientConfig:  d.TLS,
		HandshakeTimeout: d.timeout(),
		ReadBufferSize:   readBufferBytes,
		WriteBufferSize:  writeBufferBytes,
		WriteBufferPool:  &d.buffers,
	}
	if baton {
		dialer.Subprotocols = []string{Subprotocol}
	}
	var stop func() bool
	dialer.NetDialContext = func(dialing context.Context, network, addr string) (net.Conn, error) {
		socket, err := d.connect(dialing, network, addr)
		if err == nil {
			stop = context.AfterFunc(ctx, func() { _ = socket.Close() })
		}
		return socket, err
	}
	ws, answer, err := dialer.DialContext(ctx, target, d.Header)
	if stop != nil && !stop() && err == nil {
		_ = ws.Close()
		return nil, nil, context.Cause(ctx)
	}
	return ws, answer, err
}

func (d *Dialer) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	if d.NetDial != nil {
		return d.NetDial(ctx, network, addr)
	}
	// Pings of the client and of the server watch the connection already.
	dialer := net.Dialer{KeepAlive: -1}
	return dialer.DialContext(ctx, network, addr)
}

func (d *Dialer) timeout() time.Duration {
	if d.HandshakeTimeout > 0 {
		return d.HandshakeTimeout
	}
	return DefaultHandshakeTimeout
}

// awaitSession reads up to the session message; a heartbeat may come before it.
func (c *Conn) awaitSession(deadline time.Time) (Frame, error) {
	for {
		data, err := c.ReadBefore(deadline)
		if err != nil {
			return Frame{}, err
		}
		frame, err := ParseFrame(data)
		if err != nil {
			return Frame{}, err
		}
		if frame.Type == TypeSession {
			return frame, nil
		}
	}
}

// CheckURL says what is wrong with the URL of a server.
func CheckURL(rawURL string) error {
	_, err := address(rawURL, "", 0)
	return err
}

// address adds session_id and attempt to the URL; http and https are taken
// for ws and wss.
func address(rawURL, session string, attempt uint64) (string, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", fmt.Errorf("read the URL: %w", err)
	}
	u.Scheme = strings.Replace(u.Scheme, "http", "ws", 1)
	if (u.Scheme != "ws" && u.Scheme != "wss") || u.Host == "" {
		return "", fmt.Errorf("%q is not a ws:// or wss:// URL", rawURL)
	}
	query := u.Query()
	if session != "" {
		query.Set("session_id", session)
	}
	if attempt > 0 {
		query.Set("attempt", strconv.FormatUint(attempt, 10))
	}
	u.RawQuery, u.Fragment = query.Encode(), ""
	return u.String(), nil
}
