package soak

import (
	"context"
	"time"
)

const (
	restMin = time.Millisecond // between two looks at the clock
	lagMax  = time.Second      // what it is behind by more is left out
)

// metronome spreads events evenly over time.
type metronome struct {
	rate  float64 // events per second
	start time.Time
	given float64
}

func newMetronome(rate float64) *metronome { return &metronome{rate: rate, start: time.Now()} }

// due is how many events should happen now.
func (m *metronome) due() int {
	behind := time.Since(m.start).Seconds()*m.rate - m.given
	if lost := behind - m.rate*lagMax.Seconds(); lost > 1 {
		m.given += lost
		behind -= lost
	}
	n := int(behind)
	m.given += float64(n)
	return n
}

// rest waits for the next event; it tells whether ctx goes on.
func (m *metronome) rest(ctx context.Context) bool {
	if m.rate <= 0 {
		<-ctx.Done()
		return false
	}
	next := time.Duration((m.given + 1) / m.rate * float64(time.Second))
	return pause(ctx, max(next-time.Since(m.start), restMin))
}
