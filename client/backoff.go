package client

import (
	"errors"
	"math/rand/v2"
	"time"
)

// retryAfterMax is the longest wait a server can ask for.
const retryAfterMax = 5 * time.Minute

// backoff is exponential with full jitter: the clients that one event cut off
// come back spread over the whole interval
// (aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter).
type backoff struct {
	min, max time.Duration
	failures int
}

// wait is how long to stay away after err, which may be nil for a connection
// that worked. A Retry-After is waited for in full, and jitter added to it.
func (b *backoff) wait(err error) time.Duration {
	ceiling := b.min
	for range b.failures {
		if ceiling *= 2; ceiling >= b.max {
			ceiling = b.max
			break
		}
	}
	b.failures++
	return min(askedFor(err), retryAfterMax) + rand.N(ceiling)
}

func (b *backoff) reset() { b.failures = 0 }

func askedFor(err error) time.Duration {
	var refused *RefusedError
	if errors.As(err, &refused) {
		return refused.RetryAfter
	}
	return 0
}
