package handlers

import (
	"runtime/debug"
	"time"
)

// Handshakes take several times the memory of the connections that come of them.
// Left alone, the runtime keeps most of that for a next burst, for minutes.
const (
	giveBackEvery = 5 * time.Second
	giveBackAfter = 1000 // connections opened
)

// memoryGiver returns the look at whether a burst of connects is over: once no
// connection has been opened between two looks, what the burst took goes back to
// the operating system.
func (h *Hub) memoryGiver() func() {
	var given, last uint64
	return func() {
		opened := h.arrived.Load()
		if opened == last && opened-given >= giveBackAfter {
			given = opened
			debug.FreeOSMemory()
		}
		last = opened
	}
}
