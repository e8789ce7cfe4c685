//go:build !goroutines

package transport

import "runtime"

// New returns the core that serves this operating system best: a loop a core, so
// that one works while another waits in its RoundEnd.
func New(ended RoundEnd) (Core, error) { return NewEpoll(runtime.GOMAXPROCS(0), ended) }
