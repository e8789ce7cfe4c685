package wire

import (
	"errors"
	"math/rand/v2"
	"time"
)

// retryAfterMax is the longest wait a server can ask for.
const retryAfterMax = 5 * time.Minute

// Backoff is exponential with full jitter: the clients that one event cut off
// come back spread over the whole interval
// (aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter).
// It is not safe for concurrent use.
type Backoff struct {
	Min, Max time.Duration // of the interval, which doubles with each failure

	failures int
}

// Wait is how long to stay away after err, which is nil after a connection
// that ended. A Retry-After is waited for in full, and jitter added to it.
func (b *Backoff) Wait(err error) time.Duration {
	ceiling := b.Min
	for range b.failures {
		if ceiling *= 2; ceiling >= b.Max {
			ceiling = b.Max
			break
		}
	}
	b.failures++
	return min(askedFor(err), retryAfterMax) + rand.N(ceiling)
}

// Reset forgets the failures, after something has worked.
func (b *Backoff) Reset() { b.failures = 0 }

func askedFor(err error) time.Duration {
	var refused *RefusedError
	if errors.As(err, &refused) {
		return refused.RetryAfter
	}
	return 0
}
