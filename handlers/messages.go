package handlers

import (
	"encoding/json"
	"time"

	"baton/handlers/channel"
	"baton/handlers/frame"
)

// appendReply appends the frame of the handler's reply, encoded in place: it is
// what every message costs.
func appendReply(dst []byte, handler Handler, n uint64) []byte {
	at := len(dst)
	return frame.EndText(handler.AppendReply(frame.BeginText(dst), n), at)
}

// timestamp is RFC 3339 in UTC with milliseconds.
const timestamp = "2006-01-02T15:04:05.000Z07:00"

func heartbeat(now time.Time) channel.Message {
	return channel.Message{To: channel.All, Text: encoded(struct {
		Type string `json:"type"`
		TS   string `json:"ts"`
	}{"heartbeat", now.UTC().Format(timestamp)})}
}

func reconnectFrame(within time.Duration) []byte {
	return textFrame(struct {
		Type     string `json:"type"`
		WithinMS int64  `json:"within_ms"`
	}{"reconnect", within.Milliseconds()})
}

// sessionMessage is the first thing a baton.v1 client hears.
func (h *Hub) sessionMessage(c *conn) []byte {
	return textFrame(struct {
		Type      string `json:"type"`
		SessionID string `json:"session_id"`
		Count     uint64 `json:"count"`
		Resumed   bool   `json:"resumed"`
		Color     string `json:"color"`
		Instance  string `json:"instance"`
	}{"session", c.visitor.session.Shown, c.visitor.session.Count, c.visitor.session.Resumed, h.config.Color, h.config.Instance})
}

func textFrame(message any) []byte { return frame.AppendText(nil, encoded(message)) }

func encoded(message any) []byte {
	payload, _ := json.Marshal(message) // strings, numbers and bools: it cannot fail
	return payload
}
