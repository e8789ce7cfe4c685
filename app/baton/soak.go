package baton

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"strings"
	"time"

	"baton/client/soak"
)

const soakUsage = `usage: baton soak --url ws://…/ws/chat/ [flags]

Runs many clients that send and resume, while you promote, roll back, kill or
restart what you like, and counts what the server lost, counted twice or
replied to out of order. At the end everything has to be acknowledged, and a
fresh connection to every session has to find the count that was sent.

Clients speak baton.v1; with --plain 0.5 every second one is a plain client,
of which no acknowledged count may be lost. Ctrl-C ends the sending early; the
checks are still made. Where the server asks for a JSON Web Token: BATON_TOKEN
holds it.

Exit code 0: nothing lost, duplicated or reordered, something acknowledged,
every session checked. 1: not so.

flags:
`

// runSoak is the command "soak".
func runSoak(ctx context.Context, args []string, std streams) int {
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	cfg := soak.Config{}
	urls := flags.String("url", "ws://"+localAddress()+"/ws/chat/", "the chat endpoint; with several, by commas, each connection goes to one at random")
	flags.IntVar(&cfg.Clients, "clients", 100, "clients")
	flags.Float64Var(&cfg.Rate, "rate", 1, "messages per second and client")
	flags.DurationVar(&cfg.For, "duration", 10*time.Second, "how long to send")
	flags.Float64Var(&cfg.Plain, "plain", 0, "share of plain clients, 0 to 1")
	flags.DurationVar(&cfg.Hop, "hop", 0, "cut each connection on purpose after this time in the mean; 0: never")
	flags.IntVar(&cfg.Size, "size", soak.DefaultSize, "bytes of a message")
	flags.Float64Var(&cfg.ConnectRate, "connect-rate", soak.DefaultConnectRate, "new clients per second")
	flags.DurationVar(&cfg.Settle, "settle", soak.DefaultSettle, "how long to wait for the last replies, and then for the checks")
	flags.DurationVar(&cfg.KeepAlive, "keep-alive", soak.DefaultKeepAlive, "silence after which a client pings; it gives up after three times that")
	flags.IntVar(&cfg.Queue, "queue", soak.DefaultQueue, "messages of a client that may wait for their acknowledgement")
	flags.BoolVar(&cfg.NoHandover, "no-handover", false, "stay on a draining connection until it is closed")
	asJSON := flags.Bool("json", false, "print one JSON object")
	quiet := flags.Bool("quiet", false, "no progress on stderr")
	flags.Usage = func() { _, _ = fmt.Fprint(flags.Output(), soakUsage); flags.PrintDefaults() }
	if code, ok := parseFlags(flags, args, std); !ok {
		return code
	}
	if cfg.Clients < 1 || cfg.Rate < 0 || cfg.ConnectRate <= 0 || cfg.Plain < 0 || cfg.Plain > 1 {
		return usageError(std, "soak", "--clients and --connect-rate are positive, --rate is not negative, --plain is between 0 and 1")
	}
	cfg.Header = authorization()
	cfg.URLs = strings.Split(*urls, ",")
	if !*quiet {
		cfg.Progress = std.err
	}
	report, err := soak.Run(ctx, cfg)
	if err != nil {
		return usageError(std, "soak", err.Error())
	}
	return soakEnd(std, report, *asJSON)
}

func soakEnd(std streams, report soak.Report, asJSON bool) int {
	if asJSON {
		_ = json.NewEncoder(std.out).Encode(report)
	} else {
		report.Print(std.out)
	}
	if err := report.Verdict(); err != nil {
		_, _ = fmt.Fprintf(std.err, "baton soak: failed: %v\n", err)
		return exitFailure
	}
	return exitOK
}
