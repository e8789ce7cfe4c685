package baton

import (
	"context"
	"flag"
	"fmt"

	"baton/middleware/session"
)

const storeUsage = `usage: baton store [flags]

Serves the embedded store to other processes, for a local stack where no Redis
is installed. Prints its URL when it is ready. Its data end with it.

flags:
`

func runStore(ctx context.Context, args []string, std streams) int {
	flags := flag.NewFlagSet("store", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:6379", "address to listen on; port 0 picks a free one")
	flags.Usage = func() { _, _ = fmt.Fprint(flags.Output(), storeUsage); flags.PrintDefaults() }
	if code, ok := parseFlags(flags, args, std); !ok {
		return code
	}
	store, err := session.StartEmbedded(*listen)
	if err != nil {
		_, _ = fmt.Fprintf(std.err, "baton store: %v\n", err)
		return exitFailure
	}
	defer store.Close()
	_, _ = fmt.Fprintln(std.out, store.URL())
	<-ctx.Done()
	return exitOK
}
