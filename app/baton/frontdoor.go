package baton

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"baton/app/frontdoor"
)

// frontdoorHeaderTimeout bounds how long a peer may take over its request's head.
const frontdoorHeaderTimeout = 10 * time.Second

func runFrontdoor(ctx context.Context, args []string, std streams) int {
	flags := flag.NewFlagSet("frontdoor", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:8080", "`address` to listen on")
	dynamic := flags.String("dynamic", "", "Traefik's dynamic `file` or directory; read again when it changes")
	if code, ok := parseFlags(flags, args, std); !ok {
		return code
	}
	if *dynamic == "" || flags.NArg() > 0 {
		_, _ = fmt.Fprintln(std.err, "baton frontdoor: --dynamic FILE_OR_DIR is needed, and nothing besides flags")
		return exitUsage
	}
	log := slog.New(slog.NewJSONHandler(std.err, nil))
	if err := serveFrontdoor(ctx, *listen, *dynamic, log, std); err != nil {
		_, _ = fmt.Fprintf(std.err, "baton frontdoor: %v\n", err)
		return exitFailure
	}
	return exitOK
}

func serveFrontdoor(ctx context.Context, listen, dynamic string, log *slog.Logger, std streams) error {
	door, err := frontdoor.New(dynamic, log)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{Handler: door, ReadHeaderTimeout: frontdoorHeaderTimeout, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	var watching sync.WaitGroup
	defer watching.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watching.Go(func() { door.Watch(ctx) })
	watching.Go(func() { <-ctx.Done(); _ = server.Close() })

	_, _ = fmt.Fprintf(std.out, "http://%s\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
