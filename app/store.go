package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// storeTick is how often the store's clock is moved on: miniredis keeps keys
// for ever unless it is told that time has passed.
const storeTick = time.Second

func runStore(ctx context.Context, args []string, std streams) int {
	flags := flag.NewFlagSet("store", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:6379", "`address` to listen on; the address in use is printed")
	if code, ok := parseFlags(flags, args, std); !ok {
		return code
	}
	store := miniredis.NewMiniRedis()
	if err := store.StartAddr(*listen); err != nil {
		_, _ = fmt.Fprintf(std.err, "baton store: listen: %v\n", err)
		return exitFailure
	}
	defer store.Close()
	_, _ = fmt.Fprintf(std.out, "redis://%s\n", store.Addr())
	keepTime(ctx, store)
	return exitOK
}

// keepTime moves the store's clock on by what has really passed.
func keepTime(ctx context.Context, store *miniredis.Miniredis) {
	ticker := time.NewTicker(storeTick)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			store.FastForward(now.Sub(last))
			last = now
		}
	}
}
