package frontdoor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
)

// errNoServer is a service without servers: a color that does not run.
var errNoServer = errors.New("the service has no server")

// service sends requests to its servers in turn. It is the RoundTripper of its
// own reverse proxy, so that a server that can't be reached costs no more than
// asking the next.
type service struct {
	servers   []*url.URL
	next      atomic.Uint64
	transport http.RoundTripper
}

func newService(name string, urls []string, transport http.RoundTripper) (*service, error) {
	s := &service{transport: transport}
	for _, text := range urls {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "http" || u.Host == "" {
			return nil, fmt.Errorf("service %s: %q is no http://host:port", name, text)
		}
		s.servers = append(s.servers, u)
	}
	return s, nil
}

// handler is the reverse proxy. WebSockets pass by its support for Upgrade.
func (s *service) handler() http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(pr *httputil.ProxyRequest) {
			// What a client claims about itself was dropped; the address it comes from is set.
			pr.SetXForwarded()
			pr.Out.URL.Scheme = "http"
		},
		Transport:      s,
		ModifyResponse: setHeaders,
		ErrorHandler:   proxyError,
	}
}

// RoundTrip asks the servers in turn, each once, until one can be reached.
func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	err := errNoServer
	start := s.next.Add(1)
	for i := range s.servers {
		server := s.servers[(start+uint64(i))%uint64(len(s.servers))]
		out := r.Clone(r.Context())
		out.URL.Host = server.Host
		var response *http.Response
		if response, err = s.transport.RoundTrip(out); err == nil || !isDialError(err) {
			return response, err
		}
	}
	return nil, err
}

// isDialError says that nothing of the request was sent: it may be sent again.
func isDialError(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func proxyError(w http.ResponseWriter, _ *http.Request, err error) {
	switch {
	case errors.Is(err, errNoServer):
		refuse(w, http.StatusServiceUnavailable, "no_server", "this color does not run")
	case errors.Is(err, context.Canceled):
		// The client has gone; nobody reads an answer.
	default:
		refuse(w, http.StatusBadGateway, "bad_gateway", "no server of this color can be reached")
	}
}
