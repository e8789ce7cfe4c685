package handlers

import (
	"slices"
	"time"

	"baton/handlers/frame"
)

func (h *Hub) every(interval time.Duration, f func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-h.stop:
			return
		case <-ticker.C:
			f()
		}
	}
}

// heartbeat is handed to every connection as any broadcast is.
func (h *Hub) heartbeat() {
	began := time.Now()
	h.Deliver(heartbeat(began))
	h.metrics.HeartbeatSent(time.Since(began))
	h.refresh(h.config.HeartbeatInterval)
}

// refresh has every idle connection look at its owner and refresh its session's
// life, a few at a time: nobody waits for that, and messages would wait behind it.
// It takes a quarter of the interval at most.
func (h *Hub) refresh(interval time.Duration) {
	pause := min(refreshPause, interval/4/time.Duration(h.live.Load()/refreshAtOnce+1))
	for _, s := range h.shards {
		for some := range slices.Chunk(s.snapshot(nil), refreshAtOnce) {
			select {
			case <-h.stop:
				return
			case <-time.After(pause):
			}
			visit(some, (*conn).refresh)
		}
	}
}

// refresh commits the count that is already stored: it keeps the session alive,
// finds out that it was taken over, and repairs a Redis that lost it.
func (c *conn) refresh() {
	if c.phase == open && !c.busy {
		c.queue()
	}
}

// refreshAtOnce is how many sessions are refreshed together, refreshPause how long the next wait for that.
const (
	refreshAtOnce = 256
	refreshPause  = 2 * time.Millisecond
)

// sweepsPerIdle is how often in IDLE_TIMEOUT connections are looked at;
// refreshesPerTTL is the same for SESSION_TTL. It begins anew with each message;
// while many sessions are busy, as exactly as grainsPerTTL and maxGrain say: it
// would be a third of their cost in Redis.
const (
	sweepsPerIdle   = 20
	refreshesPerTTL = 3
	grainsPerTTL    = 100
	maxGrain        = time.Second
	minSweep        = 10 * time.Millisecond
	maxSweep        = 250 * time.Millisecond
)

func sweepInterval(idle time.Duration) time.Duration {
	return min(max(idle/sweepsPerIdle, minSweep), maxSweep)
}

// sweeper returns the look at every connection's clocks. A sweep that comes late,
// because the process was stopped or the machine slept, proves nothing about
// the peers: their bytes may be waiting. It starts their silence anew.
func (h *Hub) sweeper() func() {
	last := h.now()
	late := int64(max(h.config.IdleTimeout/4, 2*maxSweep))
	return func() {
		now := h.now()
		wasAway := now-last > late
		last = now
		h.each(func(c *conn) {
			if wasAway {
				c.heard = now
			}
			c.sweep(now)
		})
	}
}

func (c *conn) sweep(now int64) {
	if c.phase == parting && now > c.partAt {
		c.end()
		return
	}
	if c.phase != open {
		return
	}
	if c.paused {
		return // not read from: its silence is ours
	}
	silent := now - c.heard
	if silent >= int64(c.hub.config.IdleTimeout)/2 && !c.pinged {
		c.pinged = true
		c.send(frame.AppendPing(nil))
	}
	if owed := c.inFlight > 0 || c.pending > 0; silent >= int64(c.hub.config.IdleTimeout) && !owed {
		c.fault(frame.CloseIdle, "nothing heard for IDLE_TIMEOUT")
	}
}
