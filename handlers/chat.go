// Package handlers holds what Baton answers: the chat sessions and the hub of
// their live connections, health, version and the console.
package handlers

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"time"

	"github.com/gofiber/contrib/websocket"
	"github.com/gofiber/fiber/v2"

	"baton/handlers/transport"
	"baton/middleware/accesslog"
	"baton/middleware/admission"
	"baton/middleware/metrics"
	"baton/middleware/remote"
	"baton/middleware/session"
)

// Subprotocol is offered by clients that resume exactly.
const Subprotocol = "baton.v1"

// visitor is what a handshake found out, on its way to the connection.
type visitor struct {
	session   *session.Session
	slot      *admission.Slot
	remote    string
	requestID string
}

const visitorKey = "visitor"

// Chat upgrades handshakes that the middleware let pass, and hands their
// sockets to the hub.
type Chat struct {
	hub     *Hub
	core    transport.Core
	metrics *metrics.Metrics
	log     *slog.Logger
}

// NewChat serves sockets on core and keeps them in hub.
func NewChat(hub *Hub, core transport.Core, m *metrics.Metrics, log *slog.Logger) *Chat {
	return &Chat{hub: hub, core: core, metrics: m, log: log}
}

// Handler is the route's last handler. It needs a session and a slot from the
// middleware before it.
func (h *Chat) Handler() fiber.Handler {
	upgrade := websocket.New(h.upgraded, websocket.Config{
		Subprotocols:   []string{Subprotocol},
		Origins:        []string{"*"}, // the admission middleware has judged the origin
		RecoverHandler: h.recovered,
	})
	return func(c *fiber.Ctx) error {
		foldSubprotocols(c)
		slot := admission.SlotOf(c)
		c.Locals(visitorKey, &visitor{
			session:   session.From(c),
			slot:      slot,
			remote:    remote.Address(c),
			requestID: accesslog.RequestID(c),
		})
		err := upgrade(c)
		if accepted, ok := c.Context().Conn().(*transport.Accepted); ok && err == nil {
			accepted.OnClose(slot.Release) // until the socket is taken over
		}
		return err
	}
}

// foldSubprotocols makes one header line of several: RFC 6455 section 11.3.4
// takes them for the same, the upgrade reads the first alone.
func foldSubprotocols(c *fiber.Ctx) {
	header := &c.Request().Header
	if lines := header.PeekAll("Sec-WebSocket-Protocol"); len(lines) > 1 {
		header.SetBytesV("Sec-WebSocket-Protocol", bytes.Join(lines, []byte(", ")))
	}
}

// upgraded runs once the 101 has been written. It takes the socket away from the
// HTTP server and returns, so that all that the handshake needed is freed.
func (h *Chat) upgraded(ws *websocket.Conn) {
	v := ws.Locals(visitorKey).(*visitor)
	accepted, early, err := takeOver(ws.NetConn())
	if err != nil {
		v.slot.Release()
		_ = ws.Close()
		return
	}
	accepted.OnClose(nil)
	resumable := ws.Subprotocol() == Subprotocol
	err = h.core.Attach(accepted.TCPConn, early, func(s transport.Socket) transport.Conn {
		return newConn(h.hub, s, v, resumable)
	})
	if err != nil {
		v.slot.Release()
		h.log.Error("connection could not be served", "session_id", session.ShortID(v.session.Session), "error", err.Error())
	}
}

func (h *Chat) recovered(*websocket.Conn) {
	if r := recover(); r != nil {
		h.metrics.Error(metrics.ReasonPanic)
		h.log.Error("panic", "error", fmt.Sprint(r), "stack", string(debug.Stack()))
	}
}

// hijacked is how fasthttp shows the connection under its own reader.
type hijacked interface{ UnsafeConn() net.Conn }

// takeOver returns the connection itself and the bytes that the HTTP server had
// already read beyond the handshake.
func takeOver(nc net.Conn) (*transport.Accepted, []byte, error) {
	wrapped, ok := nc.(hijacked)
	if !ok {
		return nil, nil, fmt.Errorf("connection of unknown type %T", nc)
	}
	accepted, ok := wrapped.UnsafeConn().(*transport.Accepted)
	if !ok {
		return nil, nil, fmt.Errorf("connection of unknown type %T", wrapped.UnsafeConn())
	}
	// A deadline that has passed lets the reader give what it holds, and no more.
	if err := accepted.SetReadDeadline(time.Unix(1, 0)); err != nil {
		return nil, nil, err
	}
	early, err := io.ReadAll(nc)
	var timeout net.Error
	if err != nil && (!errors.As(err, &timeout) || !timeout.Timeout()) {
		return nil, nil, err
	}
	return accepted, early, accepted.SetReadDeadline(time.Time{})
}
