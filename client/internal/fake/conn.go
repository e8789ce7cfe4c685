package fake

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fasthttp/websocket"
)

// Conn is one connection of the fake server.
type Conn struct {
	Session string

	server   *Server
	number   int
	messages int
	count    uint64
	resumed  bool
	ws       *websocket.Conn
	writing  sync.Mutex
	killed   atomic.Bool
}

// Send writes one frame.
func (c *Conn) Send(text string) {
	c.writing.Lock()
	defer c.writing.Unlock()
	_ = c.ws.WriteMessage(websocket.TextMessage, []byte(text))
}

// Half writes the first half of a frame.
func (c *Conn) Half(text string) {
	c.writing.Lock()
	defer c.writing.Unlock()
	const fin, textOpcode = 0x80, 0x1
	_, _ = c.ws.NetConn().Write(append([]byte{fin | textOpcode, byte(len(text))}, text[:len(text)/2]...))
}

// Forget makes the server forget the session.
func (c *Conn) Forget() { c.server.Store.Set(c.Session, 0) }

// Reply says this count.
func (c *Conn) Reply(count uint64) { c.Send(fmt.Sprintf(`{"count": %d}`, count)) }

// shake is the handshake; it tells whether there is a connection.
func (c *Conn) shake(w http.ResponseWriter, r *http.Request) bool {
	if a := c.server.ask(Handshake, c); c.refused(w, a) {
		return false
	}
	count, resumed, ok := c.server.Store.claim(c, attemptOf(r))
	if !ok {
		return !c.refused(w, Refuse(http.StatusConflict, "stale_attempt", ""))
	}
	c.count, c.resumed = count, resumed
	if a := c.server.ask(Claimed, c); c.refused(w, a) {
		return false
	}
	upgrader := websocket.Upgrader{Subprotocols: []string{"baton.v1"}, CheckOrigin: func(*http.Request) bool { return true }}
	ws, err := upgrader.Upgrade(w, r, http.Header{"X-Session-Id": {c.Session}})
	c.ws = ws
	return err == nil
}

func (c *Conn) refused(w http.ResponseWriter, a Action) bool {
	switch {
	case a.cut:
		hijack(w)
	case a.status > 0:
		refuse(w, a)
	default:
		return false
	}
	return true
}

func (c *Conn) serve() {
	defer func() { _ = c.ws.Close() }()
	if c.left(Opened) {
		return
	}
	if c.ws.Subprotocol() != "" {
		c.Send(fmt.Sprintf(`{"type":"session","session_id":%q,"count":%d,"resumed":%v,"color":%q,"instance":"fake"}`,
			c.Session, c.count, c.resumed, c.server.Color))
	}
	if c.left(Greeted) {
		return
	}
	for c.message() {
	}
}

// message is one message's way; it tells whether there is another.
func (c *Conn) message() bool {
	if _, _, err := c.ws.ReadMessage(); err != nil {
		c.storeLate()
		return false
	}
	c.messages++
	c.server.messages.Add(1)
	if every := c.server.IgnoreEvery; every > 0 && c.messages%every == 0 {
		return true
	}
	if c.left(Received) {
		return false
	}
	c.count++
	if c.server.CountTwice {
		c.count++
	}
	if c.server.AnswerFirst {
		c.Reply(c.count)
		return true
	}
	if !c.server.Store.commit(c, c.count) {
		c.bye(4001)
		return false
	}
	if c.left(Counted) {
		return false
	}
	if c.server.Heartbeats {
		c.Send(`{"type":"heartbeat","ts":"2026-01-02T03:04:05.678Z"}`)
	}
	c.Reply(c.count)
	return !c.left(Replied)
}

// left asks the script, and tells whether it ended the connection.
func (c *Conn) left(step Step) bool {
	a := c.server.ask(step, c)
	switch {
	case a.cut:
		c.drop()
	case a.closeCode > 0:
		c.bye(a.closeCode)
	default:
		return false
	}
	return true
}

// storeLate stores what was answered first, unless the process was killed.
func (c *Conn) storeLate() {
	if c.server.AnswerFirst && !c.killed.Load() {
		c.server.Store.commit(c, c.count)
	}
}

func (c *Conn) drop() { reset(c.ws.NetConn()) }

func (c *Conn) bye(code int) {
	frame := websocket.FormatCloseMessage(code, "said the fake")
	_ = c.ws.WriteControl(websocket.CloseMessage, frame, time.Now().Add(time.Second))
	_ = c.ws.SetReadDeadline(time.Now().Add(time.Second))
}
