package soak

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"time"

	"baton/client/wire"
)

// route decides where a connection goes, and how long it may live.
type route struct {
	hosts []string // host:port
	hop   time.Duration

	mu      sync.Mutex
	stopped bool
}

func newRoute(urls []string, hop time.Duration) (*route, error) {
	if len(urls) == 0 {
		return nil, errors.New("no URL")
	}
	r := &route{hop: hop}
	for _, raw := range urls {
		if err := wire.CheckURL(raw); err != nil {
			return nil, err
		}
		u, err := url.Parse(raw)
		if err != nil {
			return nil, fmt.Errorf("read the URL: %w", err)
		}
		r.hosts = append(r.hosts, withPort(u))
	}
	return r, nil
}

func withPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	if u.Scheme == "wss" || u.Scheme == "https" {
		return net.JoinHostPort(u.Hostname(), "443")
	}
	return net.JoinHostPort(u.Hostname(), "80")
}

// dial opens a socket to one of the hosts, whichever was asked for, and cuts
// it after a random time if hops are wanted.
func (r *route) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	dialer := net.Dialer{KeepAlive: -1}
	socket, err := dialer.DialContext(ctx, network, r.hosts[rand.IntN(len(r.hosts))])
	if err != nil || r.hop <= 0 || r.isStopped() {
		return socket, err
	}
	life := time.Duration(rand.ExpFloat64() * float64(r.hop))
	time.AfterFunc(life, func() {
		if !r.isStopped() {
			_ = socket.Close()
		}
	})
	return socket, nil
}

// stopHops lets connections live from now on.
func (r *route) stopHops() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
}

func (r *route) isStopped() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stopped
}
