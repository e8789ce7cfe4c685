package wire

import (
	"errors"
	"sync"
	"time"
)

// silences is how many watch intervals may pass without a sign of life.
const silences = 3

// ErrSilent is why a watched connection was cut.
var ErrSilent = errors.New("the server fell silent")

// watch looks after a connection on which nothing arrives. A timer and not a
// goroutine: a process may have thousands.
type watch struct {
	mu     sync.Mutex
	timer  *time.Timer
	silent bool
}

// Watch pings after each interval of silence, and cuts the connection after
// the third. It ends with Abort.
func (c *Conn) Watch(every time.Duration) {
	c.watch.mu.Lock()
	defer c.watch.mu.Unlock()
	c.watch.timer = time.AfterFunc(every, func() { c.look(every) })
}

func (c *Conn) look(every time.Duration) {
	silence := time.Since(c.Heard())
	if silence >= silences*every {
		c.watch.mu.Lock()
		c.watch.silent = true
		c.watch.mu.Unlock()
		c.Abort()
		return
	}
	if silence >= every {
		_ = c.Ping() // one that can't leave will be answered by silence
	}
	c.watch.mu.Lock()
	defer c.watch.mu.Unlock()
	if c.watch.timer != nil {
		c.watch.timer.Reset(every)
	}
}

// fellSilent tells whether Watch cut the connection.
func (w *watch) fellSilent() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.silent
}

func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
}
