package switchtest

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestAdminPathsAreNotForThePublic asks for them in every spelling, raw: a
// client library would clean the path. What a header says about who asks
// counts for nothing.
func TestAdminPathsAreNotForThePublic(t *testing.T) {
	onBothStacks(t, true, func(t *testing.T, s *stack) {
		s.Up("ADMIN_CIDRS=192.0.2.0/24")
		for _, path := range []string{
			"/metrics", "/METRICS", "//metrics", "/%6Detrics", "/./metrics", "/x/../metrics", "/metrics/", "/metrics/x",
			"/blue", "/blue/", "/blue/metrics", "/green/readyz", "/%62lue/readyz", "//blue/readyz", "/x/../blue/readyz",
			"/blue/../metrics", "/blue/.%2e/metrics", "/metrics?x", "/metrics;x",
		} {
			if status := s.status(path, "X-Forwarded-For: 192.0.2.1", "X-Real-Ip: 192.0.2.1", "Forwarded: for=192.0.2.1"); status != http.StatusForbidden {
				t.Errorf("%s: %d, want 403", path, status)
			}
		}
		for path, want := range map[string]int{"/": 200, "/version": 200, "/readyz": 200, "/x/..%2fmetrics": 400, "/bluebird": 404, "/blue/../": 200, "/Blue/readyz": 404} {
			if status := s.status(path); status != want {
				t.Errorf("%s: %d, want %d", path, status, want)
			}
		}
		r := s.promote([]string{"ADMIN_CIDRS=192.0.2.0/24", "BATON_FRONT_TIMEOUT_MS=1000"})
		s.mustBeBackOn("blue", r, "if it is 403, add this machine to ADMIN_CIDRS")
	})
}

// status is the front door's answer to a path as it is, with these headers.
func (s *stack) status(path string, headers ...string) int {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.Front(), "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", path, strings.Join(append(headers, ""), "\r\n")); err != nil {
		s.t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}
