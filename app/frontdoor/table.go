package frontdoor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sort"
)

// entryPoint is the only one there is here; routers may name it.
const entryPoint = "web"

// table is one version of the dynamic file, ready to route. It never changes.
type table struct{ routes []route }

type route struct {
	match    matcher
	priority int
	rule     string
	handler  http.Handler
}

func newTable(c *config, transport http.RoundTripper) (*table, error) {
	t := &table{}
	for name, router := range c.HTTP.Routers {
		if len(router.EntryPoints) > 0 && !slices.Contains(router.EntryPoints, entryPoint) {
			continue
		}
		r, err := newRoute(c, router, transport)
		if err != nil {
			return nil, fmt.Errorf("router %s: %w", name, err)
		}
		t.routes = append(t.routes, r)
	}
	sort.SliceStable(t.routes, func(i, j int) bool { return t.routes[i].before(t.routes[j]) })
	return t, nil
}

// before is Traefik's order: the higher priority first, which is the length of
// the rule where none is given.
func (r route) before(other route) bool {
	if r.priority != other.priority {
		return r.priority > other.priority
	}
	return r.rule > other.rule
}

func newRoute(c *config, router routerConfig, transport http.RoundTripper) (route, error) {
	match, err := parseRule(router.Rule)
	if err != nil {
		return route{}, err
	}
	servers, err := c.servers(router.Service)
	if err != nil {
		return route{}, err
	}
	s, err := newService(router.Service, servers, transport)
	if err != nil {
		return route{}, err
	}
	handler := s.handler()
	for _, name := range slices.Backward(router.Middlewares) {
		m, err := newMiddleware(c.HTTP.Middlewares[name])
		if err != nil {
			return route{}, fmt.Errorf("middleware %s: %w", name, err)
		}
		handler = m(handler)
	}
	priority := router.Priority
	if priority == 0 {
		priority = len(router.Rule)
	}
	return route{match: match, priority: priority, rule: router.Rule, handler: handler}, nil
}

// servers are the addresses of a service, through at most one weighted name.
func (c *config) servers(name string) ([]string, error) {
	s, found := c.HTTP.Services[name]
	if found && s.Weighted != nil {
		if len(s.Weighted.Services) != 1 {
			return nil, fmt.Errorf("service %s: a weighted service has exactly one name here", name)
		}
		name = s.Weighted.Services[0].Name
		s, found = c.HTTP.Services[name]
	}
	if !found || s.LoadBalancer == nil {
		return nil, fmt.Errorf("service %s: no loadBalancer of this name", name)
	}
	urls := make([]string, 0, len(s.LoadBalancer.Servers))
	for _, server := range s.LoadBalancer.Servers {
		urls = append(urls, server.URL)
	}
	return urls, nil
}

func (t *table) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, route := range t.routes {
		if route.match(r.URL.Path) {
			route.handler.ServeHTTP(w, r)
			return
		}
	}
	refuse(w, http.StatusNotFound, "not_found", "no router for this path")
}

// refuse answers in the shape of the server's own errors.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"code": code, "message": message}})
}

// headersKey carries the response headers of a route to its proxy, which sets
// them over what the server said.
type headersKey struct{}

func withHeaders(ctx context.Context, headers map[string]string) context.Context {
	return context.WithValue(ctx, headersKey{}, headers)
}

func setHeaders(response *http.Response) error {
	headers, _ := response.Request.Context().Value(headersKey{}).(map[string]string)
	for name, value := range headers {
		response.Header.Set(name, value)
	}
	return nil
}
