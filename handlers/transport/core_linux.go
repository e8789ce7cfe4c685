//go:build !goroutines

package transport

import "runtime"

// New returns the core that serves this operating system best: a loop for every
// two cores. The other half writes the replies, and fewer loops find more to
// read, and so to commit together, each time they look.
func New() (Core, error) { return NewEpoll((runtime.GOMAXPROCS(0) + 1) / 2) }
