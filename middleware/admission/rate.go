package admission

import (
	"net/netip"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"baton/middleware/refusal"
	"baton/middleware/remote"
)

const (
	window = time.Second
	// maxWindows bounds the table of a rate, some 5 MB. A newcomer that finds it
	// full is let pass: who has so many networks can't be held by this limit, and
	// MAX_CONNECTIONS holds still.
	maxWindows = 1 << 16
)

// Rate lets a client's network connect perSecond times a second; 0: no limit.
func Rate(perSecond int) fiber.Handler {
	if perSecond == 0 {
		return func(c *fiber.Ctx) error { return c.Next() }
	}
	counts := rate{max: perSecond}
	return func(c *fiber.Ctx) error {
		if !counts.allow(remote.Network(c), time.Now()) {
			return refusal.Send(c, refusal.RateLimited())
		}
		return c.Next()
	}
}

// rate counts handshakes in a window that begins with a network's first. Two
// generations of windows take turns: what has not come for two windows is gone
// without a search for it.
type rate struct {
	max int

	mu         sync.Mutex
	turned     time.Time
	young, old map[netip.Addr]*counter
}

type counter struct {
	began time.Time
	n     int
}

func (r *rate) allow(who netip.Addr, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.turned) >= window {
		r.old, r.young, r.turned = r.young, map[netip.Addr]*counter{}, now
	}
	c := r.young[who]
	if c == nil {
		c = r.old[who]
	}
	switch {
	case c != nil && now.Sub(c.began) < window:
	case len(r.young) >= maxWindows:
		return true
	default:
		c = &counter{began: now}
		r.young[who] = c
	}
	c.n++
	return c.n <= r.max
}
