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
// client library would clean the path.
func TestAdminPathsAreNotForThePublic(t *testing.T) {
	onBothStacks(t, true, func(t *testing.T, s *stack) {
		s.Up("ADMIN_CIDRS=192.0.2.0/24")
		for _, path := range []string{
			"/metrics", "/METRICS", "//metrics", "/%6Detrics", "/./metrics", "/x/../metrics", "/metrics/", "/metrics/x",
			"/blue", "/blue/", "/blue/metrics", "/green/readyz",
		} {
			if status := s.status(path); status != http.StatusForbidden {
				t.Errorf("%s: %d, want 403", path, status)
			}
		}
		for path, want := range map[string]int{"/": 200, "/version": 200, "/readyz": 200, "/x/..%2fmetrics": 400, "/bluebird": 404} {
			if status := s.status(path); status != want {
				t.Errorf("%s: %d, want %d", path, status, want)
			}
		}
		r := s.promote([]string{"ADMIN_CIDRS=192.0.2.0/24", "BATON_FRONT_TIMEOUT_MS=1000"})
		s.mustBeBackOn("blue", r, "if it is 403, add this machine to ADMIN_CIDRS")
	})
}

// status is the front door's answer to a path as it is.
func (s *stack) status(path string) int {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.Front(), "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path); err != nil {
		s.t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}
