package client

import "time"

// Each 409 doubles how far the next attempt runs ahead of the clock, so that
// a client whose clock was set back by days gets past what it stored before.
const (
	staleLeadMin = time.Second
	staleMax     = 20 // tries; the last one leads by six days
)

// attempts makes the numbers of the handshakes: each higher than the last,
// and at least the clock in milliseconds, so that a client without memory is
// newer than the one before it.
type attempts struct {
	last  uint64
	stale int // refusals with 409 in a row
}

func (a *attempts) next(now time.Time) uint64 {
	number := max(a.last+1, uint64(max(now.UnixMilli(), 1)))
	if a.stale > 0 {
		number += uint64((staleLeadMin << (a.stale - 1)).Milliseconds())
	}
	a.last = number
	return number
}
