package baton

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"strconv"
	"time"

	"baton/client/smoke"
	"baton/client/wire"
)

const smokeTimeout = 10 * time.Second

const smokeUsage = `usage: baton smoke [flags]

Checks a server with one real session: a plain client opens it, sends 3
messages and closes; then it is resumed, and the 4th message has to count 4.
Exit code 1, and why, if anything is not as it should be.

With --session it makes one visit to that session instead: opens or resumes
it, checks what --expect-count and --expect-color say, sends --messages,
keeps it open for --hold (until then, until SIGTERM, or until the server
drains or another visit resumes the session), and closes it.

  baton smoke --url ws://127.0.0.1/green/ws/chat/
  baton smoke --json --session "$ID" --messages 1 --expect-count 3 --expect-color green

--json prints {"session_id","count","color","instance","resumed"}, one line,
count being the one after the messages; with --hold it is printed before.

Where the server asks for a JSON Web Token: BATON_TOKEN holds it.

flags:
`

// runSmoke is the command "smoke".
func runSmoke(ctx context.Context, args []string, std streams) int {
	flags := flag.NewFlagSet("smoke", flag.ContinueOnError)
	url := flags.String("url", "ws://"+localAddress()+"/ws/chat/", "the chat endpoint; a path before /ws/chat/ is kept")
	timeout := flags.Duration("timeout", smokeTimeout, "for everything but --hold")
	asJSON := flags.Bool("json", false, "print one JSON object")
	color := flags.String("expect-color", "", "fail unless this color answers")
	session := flags.String("session", "", `visit this session; "new" lets the server name one`)
	messages := flags.Int("messages", 1, "messages to send; only with --session")
	expect := flags.String("expect-count", "", "the session's count at open; only with --session")
	hold := flags.Duration("hold", 0, "keep the connection open for so long; only with --session")
	flags.Usage = func() { _, _ = fmt.Fprint(flags.Output(), smokeUsage); flags.PrintDefaults() }
	if code, ok := parseFlags(flags, args, std); !ok {
		return code
	}
	if err := wire.CheckURL(*url); err != nil {
		return usageError(std, "smoke", err.Error())
	}
	report := func(r smoke.Result) { printSmoke(std, *asJSON, r) }
	if *session == "" {
		if *expect != "" || *hold != 0 {
			return usageError(std, "smoke", "--expect-count and --hold need --session")
		}
		result, err := smoke.Check(ctx, *url, *color, authorization(), *timeout)
		return smokeEnd(std, result, err, report)
	}
	visit := smoke.Visit{URL: *url, Header: authorization(), Session: *session, Messages: *messages, ExpectColor: *color, Hold: *hold, Told: report}
	if *session == "new" {
		visit.Session = ""
	}
	if *expect != "" {
		count, err := strconv.ParseUint(*expect, 10, 64)
		if err != nil {
			return usageError(std, "smoke", "--expect-count is a number")
		}
		visit.ExpectCount = &count
	}
	result, err := visit.Run(ctx, *timeout)
	return smokeEnd(std, result, err, nil)
}

// smokeEnd reports a success, if it is not reported yet, or the failure.
func smokeEnd(std streams, result smoke.Result, err error, report func(smoke.Result)) int {
	if err != nil {
		_, _ = fmt.Fprintf(std.err, "baton smoke: failed: %v\n", err)
		return exitFailure
	}
	if report != nil {
		report(result)
	}
	return exitOK
}

func printSmoke(std streams, asJSON bool, r smoke.Result) {
	if asJSON {
		_ = json.NewEncoder(std.out).Encode(r)
		return
	}
	_, _ = fmt.Fprintf(std.out, "ok: session %s counts %d on %s (%s)\n", r.SessionID, r.Count, r.Color, r.Instance)
}

func usageError(std streams, command, message string) int {
	_, _ = fmt.Fprintf(std.err, "baton %s: %s\n", command, message)
	return exitUsage
}
