// Command chat is a chat room on Baton: who is connected, to whatever process or
// color, hears what the others say. Its sessions count, resume and move as any.
//
//	REDIS_URL=redis://localhost:6379 CHANNEL_LAYER=redis go run ./docs/examples/chat
package main

import (
	"encoding/json"
	"os"

	"baton/app/baton"
)

const lobby = "lobby"

// room is the handler. Counting answers each message with its count.
type room struct {
	baton.Counting
	channel *baton.Channel
}

// line is what the clients of the room hear. A type tells it from the service's own messages.
type line struct {
	Type string `json:"type"`
	From string `json:"from"`
	N    uint64 `json:"n"` // with From it names the message: a client that moves may hear it twice
	Text string `json:"text"`
}

// Opened puts every connection into the room, also one that goes on with a session. Its end takes it out.
func (r room) Opened(p *baton.Peer) { _ = p.Join(lobby) }

// Received says to everybody what was counted.
func (r room) Received(p *baton.Peer, m baton.Message) {
	text, err := json.Marshal(line{Type: "line", From: p.SessionID()[:8], N: m.N, Text: string(m.Text)})
	if err == nil {
		err = r.channel.ToGroup(lobby, text)
	}
	if err != nil { // too long, or Redis is slow: only the sender learns
		_ = p.Send([]byte(`{"type":"unsaid"}`))
	}
}

func main() {
	os.Exit(baton.Main(os.Args[1:], func(c *baton.Channel) baton.Handler { return room{channel: c} }))
}
