package frontdoor

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// middleware wraps a handler, as everywhere.
type middleware func(http.Handler) http.Handler

// newMiddleware builds one entry of the file. retry needs no wrapper: a
// service asks its next server by itself.
func newMiddleware(c middlewareConfig) (middleware, error) {
	switch {
	case c.IPAllowList != nil:
		return allowList(c.IPAllowList.SourceRange)
	case c.StripPrefix != nil:
		return stripPrefix(c.StripPrefix.Prefixes), nil
	case c.Headers != nil:
		return responseHeaders(c.Headers.values()), nil
	case c.Retry != nil:
		return func(next http.Handler) http.Handler { return next }, nil
	default:
		return nil, errors.New("none of ipAllowList, stripPrefix, headers, retry")
	}
}

// allowList lets only peers of these ranges pass. It looks at the peer itself:
// a header is the word of a stranger.
func allowList(ranges []string) (middleware, error) {
	prefixes := make([]netip.Prefix, 0, len(ranges))
	for _, text := range ranges {
		prefix, err := parsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("ipAllowList: %w", err)
		}
		prefixes = append(prefixes, prefix)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !allowed(prefixes, r.RemoteAddr) {
				refuse(w, http.StatusForbidden, "forbidden", "this path is for the operators' addresses only")
				return
			}
			next.ServeHTTP(w, r)
		})
	}, nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		return netip.ParsePrefix(text)
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	return addr.Prefix(addr.BitLen())
}

func allowed(prefixes []netip.Prefix, remote string) bool {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	for _, prefix := range prefixes {
		if prefix.Contains(peer.Addr().Unmap()) {
			return true
		}
	}
	return false
}

func stripPrefix(prefixes []string) middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for _, prefix := range prefixes {
				if rest, found := strings.CutPrefix(r.URL.Path, prefix); found {
					r = r.Clone(r.Context())
					r.URL.Path, r.URL.RawPath = "/"+strings.TrimPrefix(rest, "/"), ""
					break
				}
			}
			next.ServeHTTP(w, r)
		})
	}
}

// values are the response headers that the file asks for.
func (c *headersConfig) values() map[string]string {
	headers := map[string]string{}
	if c.ContentTypeNosniff {
		headers["X-Content-Type-Options"] = "nosniff"
	}
	if c.FrameDeny {
		headers["X-Frame-Options"] = "DENY"
	}
	if c.ReferrerPolicy != "" {
		headers["Referrer-Policy"] = c.ReferrerPolicy
	}
	for name, value := range c.CustomResponseHeaders {
		headers[name] = value
	}
	return headers
}

func responseHeaders(headers map[string]string) middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(withHeaders(r.Context(), headers)))
		})
	}
}
