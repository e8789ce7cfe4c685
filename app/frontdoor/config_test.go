package frontdoor

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

var errNowhere = errors.New("nowhere to go in this test")

// nowhere is a transport that reaches nobody.
type nowhere struct{}

func (nowhere) RoundTrip(*http.Request) (*http.Response, error) { return nil, errNowhere }

// Whatever stands in the file, it is refused, or each request has an answer that tells nothing of what is behind the door.
func FuzzDynamicFile(f *testing.F) {
	template, err := os.ReadFile("../../docker/traefik/dynamic/baton.yml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(template)
	f.Add([]byte("http: {routers: {a: {rule: 'PathPrefix(`/`)', service: s}}, services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:1'}]}}}}"))
	f.Add([]byte("http: {routers: {a: {rule: 'Path(`/metrics`)', middlewares: [missing], service: s}}, services: {s: {weighted: {services: [{name: s}]}}}}"))
	f.Fuzz(func(t *testing.T, content []byte) {
		parsed, err := parse([][]byte{content})
		if err != nil {
			return
		}
		table, err := newTable(parsed, nowhere{})
		if err != nil {
			return
		}
		for _, path := range []string{"/", "/ws/chat/", "/blue/", "/metrics", "/green/version"} {
			answer := httptest.NewRecorder()
			table.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
			if answer.Code < http.StatusContinue || strings.Contains(answer.Body.String(), errNowhere.Error()) {
				t.Errorf("%s: %d %s", path, answer.Code, answer.Body)
			}
		}
	})
}
