package handlers

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"baton/middleware/metrics"
)

// calls are the goroutines that call the handler: one for each connection that
// has something to tell.
type calls struct {
	mu      sync.Mutex
	running int
	over    bool
	idle    chan struct{} // closed when none runs any more and none may start
}

func newCalls() *calls { return &calls{idle: make(chan struct{})} }

// start runs f, or tells that it is too late.
func (c *calls) start(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return false
	}
	c.running++
	go func() {
		defer c.finished()
		f()
	}()
	return true
}

func (c *calls) finished() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
	c.closeIfIdle()
}

func (c *calls) closeIfIdle() {
	if c.over && c.running == 0 {
		close(c.idle)
	}
}

// FinishCalls waits until the handler was told everything, until ctx ends at
// most, and tells of how many connections it was not. It is called once, when
// nothing can be counted any more.
func (h *Hub) FinishCalls(ctx context.Context) int {
	c := h.calls
	c.mu.Lock()
	c.over = true
	c.closeIfIdle()
	c.mu.Unlock()
	select {
	case <-c.idle:
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running
}

// call makes one call of the handler and survives its panic.
func (h *Hub) call(c *conn, call call) {
	defer func() {
		if r := recover(); r != nil {
			h.metrics.Error(metrics.ReasonPanic)
			h.log.Error("panic in the handler", append(c.attrs(), "error", fmt.Sprint(r), "stack", string(debug.Stack()))...)
		}
	}()
	call.method(h, &c.inbox.peer, call.Message)
}

func (h *Hub) received(p *Peer, m Message) { h.receiver.Received(p, m) }

func (h *Hub) opened(p *Peer, _ Message) {
	if h.opener != nil {
		h.opener.Opened(p)
	}
}

func (h *Hub) closed(p *Peer, _ Message) {
	if h.closer != nil {
		h.closer.Closed(p)
	}
}
