package baton

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
)

// authorization is what smoke and soak show a server that asks for a JSON Web
// Token: that of BATON_TOKEN, which a command line would show to everybody.
func authorization() http.Header {
	if token := os.Getenv("BATON_TOKEN"); token != "" {
		return http.Header{"Authorization": {"Bearer " + token}}
	}
	return nil
}

// parseFlags parses a command's arguments, of which only flags are taken. Help
// that was asked for is a result, on std.out; any mistake goes to std.err. When
// it returns false the command ends with the code.
func parseFlags(flags *flag.FlagSet, args []string, std streams) (code int, ok bool) {
	var text bytes.Buffer
	flags.SetOutput(&text)
	err := flags.Parse(args)
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("takes no arguments, got %q", flags.Arg(0))
		_, _ = fmt.Fprintf(&text, "baton %s: %v\n", flags.Name(), err)
		flags.Usage()
	}
	switch {
	case err == nil:
		return exitOK, true
	case errors.Is(err, flag.ErrHelp):
		_, _ = std.out.Write(text.Bytes())
		return exitOK, false
	default:
		_, _ = std.err.Write(text.Bytes())
		return exitUsage, false
	}
}
