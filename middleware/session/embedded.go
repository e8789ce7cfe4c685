package session

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// embeddedTick is how often the embedded store's clock moves on: miniredis
// expires keys only when it is told that time has passed.
const embeddedTick = 100 * time.Millisecond

// Embedded is a Redis in this process: for a first try and for tests. Its data
// end with the process.
type Embedded struct {
	server *miniredis.Miniredis
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// StartEmbedded listens on addr; "127.0.0.1:0" picks a free port.
func StartEmbedded(addr string) (*Embedded, error) {
	server := miniredis.NewMiniRedis()
	if err := server.StartAddr(addr); err != nil {
		return nil, fmt.Errorf("embedded store: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	e := &Embedded{server: server, cancel: cancel}
	e.done.Go(func() { e.tick(ctx) })
	return e, nil
}

// URL is the store's address, as REDIS_URL takes it.
func (e *Embedded) URL() string { return "redis://" + e.server.Addr() }

// Close ends the store and forgets its sessions.
func (e *Embedded) Close() {
	e.cancel()
	e.done.Wait()
	e.server.Close()
}

func (e *Embedded) tick(ctx context.Context) {
	ticker := time.NewTicker(embeddedTick)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			e.server.FastForward(now.Sub(last))
			last = now
		}
	}
}
