package wire

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/fasthttp/websocket"
)

// retryAfterMax is the longest wait a server can ask for.
const retryAfterMax = 5 * time.Minute

// busyWait is how long a server is left alone that says it has too much to do
// (1008, 1013) and can't say for how long.
const busyWait = time.Second

// Backoff is exponential with full jitter: the clients that one event cut off
// come back spread over the whole interval
// (aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter).
// It is not safe for concurrent use.
type Backoff struct {
	Min, Max time.Duration // of the interval, which doubles with each failure

	failures int
}

// Wait is how long to stay away after err, which ended a connection or an
// attempt at one. A Retry-After is waited for in full, and jitter added to it.
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
	switch CloseCode(err) {
	case websocket.ClosePolicyViolation, websocket.CloseTryAgainLater:
		return busyWait
	}
	return 0
}
