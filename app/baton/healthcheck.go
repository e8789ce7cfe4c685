package baton

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/joho/godotenv"
)

const (
	healthcheckTimeout = 3 * time.Second
	healthcheckMax     = 4 << 10 // bytes of the answer that are shown
	defaultPort        = "8000"
)

const healthcheckUsage = `usage: baton healthcheck [flags]

Asks /readyz of a running server. Exit code 0 if it is ready, 1 and what it
said if not. Made for Docker's HEALTHCHECK: without --url it asks the server
of this machine, at HOST and PORT.

flags:
`

// runHealthcheck is the command "healthcheck".
func runHealthcheck(ctx context.Context, args []string, std streams) int {
	flags := flag.NewFlagSet("healthcheck", flag.ContinueOnError)
	base := flags.String("url", "http://"+localAddress(), "base URL of the server")
	timeout := flags.Duration("timeout", healthcheckTimeout, "for the whole check")
	flags.Usage = func() { _, _ = fmt.Fprint(flags.Output(), healthcheckUsage); flags.PrintDefaults() }
	if code, ok := parseFlags(flags, args, std); !ok {
		return code
	}
	if u, err := url.Parse(*base); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		_, _ = fmt.Fprintf(std.err, "baton healthcheck: %q is not an http:// or https:// URL\n", *base)
		return exitUsage
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	if err := askReady(ctx, *base); err != nil {
		_, _ = fmt.Fprintf(std.err, "baton healthcheck: %v\n", err)
		return exitFailure
	}
	return exitOK
}

func askReady(ctx context.Context, base string) error {
	target := strings.TrimSuffix(base, "/")
	if !strings.HasSuffix(target, "/readyz") {
		target += "/readyz"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return fmt.Errorf("read the URL: %w", err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask for readiness: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(answer.Body, healthcheckMax))
		return fmt.Errorf("%s says %s: %s", target, answer.Status, strings.TrimSpace(string(body)))
	}
	return nil
}

// localAddress is where a server on this machine listens, by the same HOST,
// PORT and .env that it reads.
func localAddress() string {
	file, _ := godotenv.Read() // without a .env there is nothing to read
	lookup := func(name, fallback string) string {
		if value := os.Getenv(name); value != "" {
			return value
		}
		if value := file[name]; value != "" {
			return value
		}
		return fallback
	}
	host := lookup("HOST", "127.0.0.1")
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, lookup("PORT", defaultPort))
}
