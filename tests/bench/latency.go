package bench

import "time"

const (
	fineSteps   = 100_000 // of a microsecond each
	coarseSteps = 20_000  // of a millisecond each
)

// latencies is a histogram that costs an increment a message.
type latencies struct {
	fine   [fineSteps]uint32
	coarse [coarseSteps]uint32
	total  uint64
}

func (l *latencies) add(d time.Duration) {
	l.total++
	if us := d.Microseconds(); us < fineSteps {
		l.fine[us]++
		return
	}
	l.coarse[min(d.Milliseconds(), coarseSteps-1)]++
}

// quantile is the time within which this part of the messages was answered.
func (l *latencies) quantile(part float64) time.Duration {
	left := uint64(part * float64(l.total))
	for us, n := range l.fine {
		if left < uint64(n) {
			return time.Duration(us) * time.Microsecond
		}
		left -= uint64(n)
	}
	for ms, n := range l.coarse {
		if left < uint64(n) {
			return time.Duration(ms) * time.Millisecond
		}
		left -= uint64(n)
	}
	return coarseSteps * time.Millisecond
}
