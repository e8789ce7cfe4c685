package admission

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/gofiber/fiber/v2"

	"baton/middleware/refusal"
	"baton/middleware/remote"
)

// Slots counts the connections that a process may hold, and those of each
// client's network. Only handshakes and ends of connections come here.
type Slots struct {
	max        int64 // 0: no limit
	used       atomic.Int64
	perNetwork int // 0: no limit

	mu       sync.Mutex
	networks map[netip.Addr]int // those with a slot only: max bounds it
}

// NewSlots allows max connections, and perNetwork of each client's network; 0:
// any number.
func NewSlots(max, perNetwork int) *Slots {
	return &Slots{max: int64(max), perNetwork: perNetwork, networks: map[netip.Addr]int{}}
}

// Slot is one connection's place. Release may be called by whoever ends it first.
type Slot struct {
	slots    *Slots
	network  netip.Addr // zero: not counted
	released atomic.Bool
}

// Release gives the place back, once.
func (s *Slot) Release() {
	if s.released.CompareAndSwap(false, true) {
		s.slots.used.Add(-1)
		s.slots.leave(s.network)
	}
}

// InUse is how many places are taken, handshakes on their way included.
func (s *Slots) InUse() int64 { return s.used.Load() }

func (s *Slots) take() *Slot {
	if n := s.used.Add(1); s.max > 0 && n > s.max {
		s.used.Add(-1)
		return nil
	}
	return &Slot{slots: s}
}

// enter counts a connection of the network, unless it has as many as it may.
func (s *Slots) enter(network netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.networks[network] >= s.perNetwork {
		return false
	}
	s.networks[network]++
	return true
}

func (s *Slots) leave(network netip.Addr) {
	if !network.IsValid() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.networks[network]--; s.networks[network] <= 0 {
		delete(s.networks, network)
	}
}

type slotKey struct{}

// Capacity takes a slot for the handshake. A client whose address is a trusted
// proxy's is not counted by it: the proxy may stand for everybody. The slot stays taken only when the
// handshake succeeds; then it is the connection's, by SlotOf.
func (s *Slots) Capacity() fiber.Handler {
	return func(c *fiber.Ctx) error {
		slot := s.take()
		if slot == nil {
			return refusal.Send(c, refusal.AtCapacity())
		}
		if s.perNetwork > 0 && !remote.Trusted(c) {
			network := remote.Network(c)
			if !s.enter(network) {
				slot.Release()
				return refusal.Send(c, refusal.TooManyConnections())
			}
			slot.network = network
		}
		c.Locals(slotKey{}, slot)
		keep := false
		defer func() {
			if !keep {
				slot.Release()
			}
		}()
		err := c.Next()
		keep = err == nil && c.Context().Hijacked()
		return err
	}
}

// SlotOf is the slot that Capacity took for this request.
func SlotOf(c *fiber.Ctx) *Slot {
	slot, _ := c.Locals(slotKey{}).(*Slot)
	return slot
}
