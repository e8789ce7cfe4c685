//go:build unix && (!linux || goroutines)

package transport

// New returns the core that serves this operating system best.
func New() (Core, error) { return NewGoroutines(), nil }
