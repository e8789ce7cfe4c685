package handlers

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"baton/handlers/frame"
)

// drainTick is how finely the closes of a drain are paced.
const drainTick = 10 * time.Millisecond

// Drain refuses new connections, tells baton.v1 clients to reconnect, closes
// every connection 1001 over DRAIN_SPREAD, each after its owed replies, and
// waits until all are gone, handshakes on their way included. When ctx ends first, the rest is cut and Drain
// returns how many that were.
func (h *Hub) Drain(ctx context.Context) int {
	h.draining.Store(true)
	h.drainBegan.Store(h.now())
	ticker := time.NewTicker(drainTick)
	defer ticker.Stop()
	list := h.appointments()
	for began := time.Now(); ; {
		list = closeDue(list, time.Since(began))
		if len(list) == 0 && h.config.Slots.InUse() == 0 {
			return 0
		}
		select {
		case <-ctx.Done():
			return h.cut()
		case <-ticker.C:
		}
	}
}

// DrainedFor is how long the drain has been going on; 0 before it.
func (h *Hub) DrainedFor() time.Duration {
	if !h.Draining() {
		return 0
	}
	return h.since(h.drainBegan.Load())
}

// Stop cuts what is still there and ends the hub's goroutines.
func (h *Hub) Stop() {
	h.cut()
	close(h.stop)
	h.tickers.Wait()
}

// appointment is when a connection is closed, counted from the drain's start.
type appointment struct {
	conn *conn
	at   time.Duration
}

// appointments spreads the closes evenly and in random order. Clients that can
// move get at least a part of the span to do it in, and are told.
func (h *Hub) appointments() []appointment {
	spread := min(h.config.DrainSpread, h.config.DrainTimeout*4/5)
	floor := spread / 3
	var list []appointment
	h.each(func(c *conn) { list = append(list, appointment{conn: c}) })
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	for i := range list {
		a := &list[i]
		a.at = spread * time.Duration(i+1) / time.Duration(len(list))
		if a.conn.resumable {
			a.at = floor + (spread-floor)*time.Duration(i+1)/time.Duration(len(list))
			a.conn.announce(a.at)
		}
	}
	slices.SortFunc(list, func(a, b appointment) int { return int(a.at - b.at) })
	return list
}

func (c *conn) announce(within time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == open {
		c.send(reconnectFrame(within))
	}
}

// closeDue closes those whose time has come and returns the rest.
func closeDue(list []appointment, elapsed time.Duration) []appointment {
	for len(list) > 0 && list[0].at <= elapsed {
		list[0].conn.leaveForDrain()
		list = list[1:]
	}
	return list
}

func (c *conn) leaveForDrain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closeAfterReplies(frame.CloseGoingAway, reasonDraining)
}

// cut ends every connection that is still there, its close frame tried.
func (h *Hub) cut() int {
	n := 0
	h.each(func(c *conn) {
		n++
		c.closeNow(frame.CloseGoingAway, reasonDraining)
		c.end()
	})
	return n
}
