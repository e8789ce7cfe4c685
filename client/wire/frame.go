package wire

import (
	"encoding/json"
	"errors"
	"fmt"
)

// The types a frame can have; a reply has none.
const (
	TypeReply     = ""
	TypeSession   = "session"
	TypeReconnect = "reconnect"
	TypeHeartbeat = "heartbeat"
)

// ErrNotBaton says that the server does not speak baton.v1.
var ErrNotBaton = errors.New("the server did not agree to the subprotocol " + Subprotocol)

// Frame is anything the server sends. Type tells which fields count.
type Frame struct {
	Type      string `json:"type"`
	Count     uint64 `json:"count"`      // reply, session
	SessionID string `json:"session_id"` // session
	Resumed   bool   `json:"resumed"`    // session
	Color     string `json:"color"`      // session
	Instance  string `json:"instance"`   // session
	WithinMS  int64  `json:"within_ms"`  // reconnect
	TS        string `json:"ts"`         // heartbeat
}

// ParseFrame reads one frame. A type it does not know is no error, whatever its
// fields are: a newer server may say more, and its handler what it likes.
func ParseFrame(data []byte) (Frame, error) {
	if count, ok := bareReply(data); ok {
		return Frame{Count: count}, nil
	}
	var raw struct {
		Frame
		Count *uint64 `json:"count"`
	}
	err := json.Unmarshal(data, &raw)
	var field *json.UnmarshalTypeError // of a field: the type has been read nevertheless
	if errors.As(err, &field) && raw.foreign() {
		return raw.Frame, nil
	}
	if err != nil {
		return Frame{}, fmt.Errorf("read a frame of the server: %w", err)
	}
	needsCount := raw.Type == TypeReply || raw.Type == TypeSession
	if raw.Count == nil && needsCount {
		return Frame{}, fmt.Errorf("a frame of the server has neither type nor count: %.100q", data)
	}
	if raw.Count != nil {
		raw.Frame.Count = *raw.Count
	}
	return raw.Frame, nil
}

func (f Frame) foreign() bool {
	switch f.Type {
	case TypeReply, TypeSession, TypeReconnect, TypeHeartbeat:
		return false
	default:
		return true
	}
}

// bareReply reads {"count": n} without a JSON parser: nearly every frame is one.
func bareReply(data []byte) (count uint64, ok bool) {
	const prefix = `{"count":`
	if len(data) < len(prefix)+2 || string(data[:len(prefix)]) != prefix || data[len(data)-1] != '}' {
		return 0, false
	}
	digits := data[len(prefix) : len(data)-1]
	if digits[0] == ' ' {
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > 18 || (digits[0] == '0' && len(digits) > 1) {
		return 0, false
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, false
		}
		count = count*10 + uint64(d-'0')
	}
	return count, true
}
