//go:build !goroutines

package transport

import "runtime"

// New returns the core that serves this operating system best.
func New() (Core, error) { return NewEpoll(runtime.GOMAXPROCS(0)) }
