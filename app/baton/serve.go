package baton

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"baton/config"
)

// dotenvFile is read from the working directory, where there is one.
const dotenvFile = ".env"

func runServe(ctx context.Context, args []string, std streams, handler NewHandler) int {
	began := time.Now()
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	flags.Usage = func() { serveUsage(flags.Output()) }
	if code, ok := parseFlags(flags, args, std); !ok {
		return code
	}
	cfg, err := config.Load(dotenvFile)
	if err != nil {
		_, _ = fmt.Fprintln(std.err, err)
		return exitUsage
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	return serve(ctx, cfg, std, signals, began, handler)
}

// serve runs until the first signal, drains, and gives up at the second.
func serve(ctx context.Context, cfg config.Config, std streams, signals <-chan os.Signal, began time.Time, handler NewHandler) int {
	log := newLogger(cfg, std.out)
	redis.SetLogger(redisLog{log})
	app := New(cfg, log, began, handler)
	if err := app.Start(ctx); err != nil {
		app.log.Error("start failed", "error", err.Error())
		_, _ = fmt.Fprintln(std.err, "baton:", err)
		return exitFailure
	}
	select {
	case got := <-signals:
		app.log.Info("draining", "signal", got.String(), "connections", app.hub.Live())
	case <-ctx.Done():
	case err := <-app.Failed():
		app.log.Error("server failed", "error", err.Error())
		return exitFailure
	}
	stopped := make(chan error, 1)
	go func() { stopped <- app.Stop() }()
	select {
	case err := <-stopped:
		return stopCode(app.log, err)
	case got := <-signals:
		app.log.Error("stopped at once", "signal", got.String(), "connections", app.hub.Live())
		return exitFailure
	}
}

func stopCode(log *slog.Logger, err error) int {
	var cut *cutError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &cut):
		return exitOK // warned of where it happened
	default:
		log.Error("stop failed", "error", err.Error())
		return exitFailure
	}
}

func newLogger(cfg config.Config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// redisLog takes what the Redis client would print on stderr: every failed dial,
// which /readyz and the failing commits tell of already.
type redisLog struct{ log *slog.Logger }

func (l redisLog) Printf(_ context.Context, format string, args ...any) {
	l.log.Debug("redis client", "message", fmt.Sprintf(format, args...))
}

func serveUsage(w io.Writer) {
	_, _ = fmt.Fprint(w, "usage: baton serve\n\nServes sessions until SIGINT or SIGTERM, then drains; a second signal stops at once.\nConfigured by the environment and by .env in the working directory:\n\n")
	for _, v := range config.Variables() {
		_, _ = fmt.Fprintf(w, "  %-20s %s (default: %s)\n", v.Name, v.Doc, orNone(v.Default))
	}
}

func orNone(s string) string {
	if s == "" {
		return "empty"
	}
	return s
}
