// Package baton is the whole program, for a main of a few lines: the server with
// the handler that main brings, and the tools that check and switch it.
package baton

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes of every sub-command.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// streams are where a command writes: results to out, progress and errors to err.
type streams struct{ out, err io.Writer }

// command is one sub-command. run returns the exit code.
type command struct {
	name    string
	summary string
	run     func(ctx context.Context, args []string, std streams) int
}

// Main runs the command that args name (os.Args[1:]; none: serve) and returns
// the exit code: 0 clean, 1 failed, 2 bad usage or configuration.
func Main(args []string, handler NewHandler) int {
	return run(args, streams{out: os.Stdout, err: os.Stderr}, handler)
}

func run(args []string, std streams, handler NewHandler) int {
	name, rest := commandOf(args)
	for _, c := range commands(handler) {
		if c.name == name {
			ctx, stop := signalContext(c.name)
			defer stop()
			return c.run(ctx, rest, std)
		}
	}
	if name == "help" {
		usage(std.out)
		return exitOK
	}
	_, _ = fmt.Fprintf(std.err, "baton: unknown command %q\n\n", name)
	usage(std.err)
	return exitUsage
}

func commands(handler NewHandler) []command {
	serve := func(ctx context.Context, args []string, std streams) int { return runServe(ctx, args, std, handler) }
	return []command{
		{"serve", "serve sessions (the default)", serve},
		{"healthcheck", "ask /readyz of a running server", runHealthcheck},
		{"smoke", "run one real session against a server and check its counts", runSmoke},
		{"soak", "run many resuming clients and count what was lost, duplicated or reordered", runSoak},
		{"frontdoor", "local stack: a small front door that reads Traefik's dynamic file", runFrontdoor},
		{"store", "local stack: an in-memory session store where no Redis is installed", runStore},
		{"version", "print version, commit and Go version", runVersion},
	}
}

// signalContext ends with SIGINT or SIGTERM, but for serve, whose lifecycle
// counts the signals itself.
func signalContext(name string) (context.Context, context.CancelFunc) {
	if name == "serve" {
		return context.WithCancel(context.Background())
	}
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}

// commandOf finds the command and its arguments: "help soak" is "soak --help".
func commandOf(args []string) (name string, rest []string) {
	switch {
	case len(args) == 0:
		return "serve", nil
	case isHelp(args[0]) && len(args) > 1:
		return args[1], []string{"--help"}
	case isHelp(args[0]):
		return "help", nil
	case args[0] == "--version":
		return "version", args[1:]
	case args[0] == "" || args[0][0] == '-':
		return "serve", args
	}
	return args[0], args[1:]
}

func isHelp(arg string) bool {
	return arg == "-h" || arg == "-help" || arg == "--help" || arg == "help"
}

func usage(w io.Writer) {
	_, _ = fmt.Fprint(w, "baton: WebSocket sessions that survive your deploys\n\nusage: baton [command] [flags]\n\ncommands:\n")
	for _, c := range commands(Counts) {
		_, _ = fmt.Fprintf(w, "  %-12s %s\n", c.name, c.summary)
	}
	_, _ = fmt.Fprint(w, "\n'baton <command> --help' tells more; 'baton serve' is configured by environment variables and .env.\n")
}
