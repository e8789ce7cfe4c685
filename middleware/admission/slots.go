package admission

import (
	"sync/atomic"

	"github.com/gofiber/fiber/v2"

	"baton/middleware/refusal"
)

// Slots counts the connections that a process may hold.
type Slots struct {
	max  int64 // 0: no limit
	used atomic.Int64
}

// NewSlots allows max connections; 0: any number.
func NewSlots(max int) *Slots { return &Slots{max: int64(max)} }

// Slot is one connection's place. Release may be called by whoever ends it first.
type Slot struct {
	slots    *Slots
	released atomic.Bool
}

// Release gives the place back, once.
func (s *Slot) Release() {
	if s.released.CompareAndSwap(false, true) {
		s.slots.used.Add(-1)
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

type slotKey struct{}

// Capacity takes a slot for the handshake. It stays taken only when the
// handshake succeeds; then it is the connection's, by SlotOf.
func (s *Slots) Capacity() fiber.Handler {
	return func(c *fiber.Ctx) error {
		slot := s.take()
		if slot == nil {
			return refusal.Send(c, refusal.AtCapacity())
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
