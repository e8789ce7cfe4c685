package frontdoor

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// pollInterval is how often the dynamic file is read again. A few kilobytes
	// from the page cache: cheaper than a watch that can miss an event.
	pollInterval = 50 * time.Millisecond
	// dialTimeout is short: the servers are on this machine.
	dialTimeout = 2 * time.Second
	// idlePerServer is how many kept connections wait for plain requests.
	idlePerServer = 32
	idleTimeout   = 30 * time.Second
)

// Door is an http.Handler that routes by the newest good version of the
// dynamic file. A request, and so a WebSocket, stays with the version it began with.
type Door struct {
	path      string
	log       *slog.Logger
	transport *http.Transport
	current   atomic.Pointer[table]
	seen      [][]byte
}

// New reads the dynamic file or directory for the first time.
func New(path string, log *slog.Logger) (*Door, error) {
	dialer := &net.Dialer{Timeout: dialTimeout}
	d := &Door{path: path, log: log, transport: &http.Transport{
		DialContext:         dialer.DialContext,
		MaxIdleConnsPerHost: idlePerServer,
		IdleConnTimeout:     idleTimeout,
		DisableCompression:  true,
	}}
	if _, err := d.reload(); err != nil {
		return nil, err
	}
	return d, nil
}

// Watch follows the file until the context ends. A version that is empty or
// broken is told once and left alone: the last good one stays.
func (d *Door) Watch(ctx context.Context) {
	defer d.transport.CloseIdleConnections()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			changed, err := d.reload()
			if err != nil && changed {
				d.log.Warn("the dynamic file is no good, the last good one stays", "error", err)
			} else if changed {
				d.log.Info("the dynamic file was read again")
			}
		}
	}
}

// reload takes the file's present content if it differs from the last seen.
func (d *Door) reload() (changed bool, err error) {
	contents, err := readDynamic(d.path)
	if err != nil {
		changed, d.seen = d.seen != nil, nil
		return changed, err
	}
	if d.seen != nil && slices.EqualFunc(contents, d.seen, bytes.Equal) {
		return false, nil
	}
	d.seen = contents
	parsed, err := parse(contents)
	if err != nil {
		return true, err
	}
	next, err := newTable(parsed, d.transport)
	if err != nil {
		return true, fmt.Errorf("dynamic file: %w", err)
	}
	d.current.Store(next)
	return true, nil
}

// ServeHTTP cleans the path as Traefik does, so that no spelling of a path
// slips by a rule.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if ambiguous(r.URL.EscapedPath()) {
		refuse(w, http.StatusBadRequest, "bad_path", "the path has an encoded character that is not allowed")
		return
	}
	clean := r.Clone(r.Context())
	clean.URL = r.URL.JoinPath()
	d.current.Load().ServeHTTP(w, clean)
}

// ambiguous finds encoded characters that never stand in a path of ours: the
// front door and a server could read them differently. traefik.yml has the same list.
func ambiguous(escapedPath string) bool {
	path := strings.ToLower(escapedPath)
	for _, encoded := range []string{"%2f", "%5c", "%00", "%3b", "%25", "%3f", "%23"} {
		if strings.Contains(path, encoded) {
			return true
		}
	}
	return false
}
