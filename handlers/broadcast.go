package handlers

import (
	"baton/handlers/channel"
	"baton/handlers/frame"
)

// Deliver hands a message to those of this process's connections that it is for:
// encoded once, and what it costs a connection is the write. A peer whose queue
// it would overflow is cut (4002).
func (h *Hub) Deliver(m channel.Message) {
	encoded := frame.AppendText(nil, m.Text)
	switch m.To {
	case channel.All:
		h.eachAtOnce(func(c *conn) { c.send(encoded) })
	case channel.Session:
		if p, ok := h.directory.session(m.Name); ok {
			p.conn.deliver(encoded)
		}
	case channel.Group:
		for _, p := range h.directory.members(m.Name) {
			p.conn.deliver(encoded)
		}
	}
}

func (c *conn) deliver(encoded []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.send(encoded)
}
