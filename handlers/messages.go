package handlers

import (
	"encoding/json"
	"strconv"
	"time"

	"baton/handlers/frame"
)

// appendReply appends the frame of {"count":n}, encoded in place: it is what
// every message costs.
func appendReply(dst []byte, n uint64) []byte {
	var digits [20]byte
	number := strconv.AppendUint(digits[:0], n, 10)
	dst = append(dst, 0x81, byte(len(`{"count":}`)+len(number)))
	dst = append(dst, `{"count":`...)
	dst = append(dst, number...)
	return append(dst, '}')
}

// timestamp is RFC 3339 in UTC with milliseconds.
const timestamp = "2006-01-02T15:04:05.000Z07:00"

func heartbeatFrame(now time.Time) []byte {
	return textFrame(struct {
		Type string `json:"type"`
		TS   string `json:"ts"`
	}{"heartbeat", now.UTC().Format(timestamp)})
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

func textFrame(message any) []byte {
	payload, _ := json.Marshal(message) // strings, numbers and bools: it cannot fail
	return frame.AppendText(nil, payload)
}
