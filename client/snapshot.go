package client

import "time"

// Snapshot is what a client has to remember so that another one, also in
// another process, carries on exactly: Config.Resume takes it. Its fields are
// made for JSON.
type Snapshot struct {
	SessionID string   `json:"session_id"`
	Count     uint64   `json:"count"`   // acknowledged
	Attempt   uint64   `json:"attempt"` // of the newest handshake
	Pending   []string `json:"pending"` // not acknowledged, oldest first
}

// Snapshot says how things stand. It is exact once the client has ended; of a
// living one it is a moment that has passed.
func (c *Client) Snapshot() Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	pending := make([]string, len(c.ledger.pending))
	for i, m := range c.ledger.pending {
		pending[i] = m.text
	}
	return Snapshot{SessionID: c.cfg.SessionID, Count: c.ledger.count, Attempt: c.attempts.last, Pending: pending}
}

// restore takes over what an earlier client left. A server may have counted
// any of it.
func (l *ledger) restore(s Snapshot, now time.Time) {
	l.known, l.count = true, s.Count
	for _, text := range s.Pending {
		l.push(text, now)
	}
	l.touched = len(l.pending)
}
