package baton

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"runtime"
)

// Stamped by the linker: -ldflags "-X baton/app/baton.version=… -X baton/app/baton.commit=…".
var (
	version = "dev"
	commit  = "none" //nolint:gochecknoglobals // the linker needs a variable
)

const versionUsage = `usage: baton version [flags]

Prints version, commit and Go version.

flags:
`

// runVersion is the command "version".
func runVersion(_ context.Context, args []string, std streams) int {
	flags := flag.NewFlagSet("version", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "print one JSON object")
	flags.Usage = func() { _, _ = fmt.Fprint(flags.Output(), versionUsage); flags.PrintDefaults() }
	if code, ok := parseFlags(flags, args, std); !ok {
		return code
	}
	if *asJSON {
		_ = json.NewEncoder(std.out).Encode(map[string]string{"version": version, "commit": commit, "go": runtime.Version()})
		return exitOK
	}
	_, _ = fmt.Fprintf(std.out, "baton %s (commit %s, %s)\n", version, commit, runtime.Version())
	return exitOK
}
