package switchtest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"baton/tests/harness"
)

// TestSmugglingThroughTheFrontDoor asks for an admin path in every way in which a front door and a server may come to
// different ends of one request: what is behind the first must never be answered as if it had come by itself.
func TestSmugglingThroughTheFrontDoor(t *testing.T) {
	onBothStacks(t, true, func(t *testing.T, s *stack) {
		s.Up("ADMIN_CIDRS=192.0.2.0/24")
		const hidden = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
		chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(hidden), hidden)
		upgrade := "GET /ws/chat/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
		for name, request := range map[string]string{
			"CL.TE":                     post("Content-Length: 6\r\nTransfer-Encoding: chunked", "0\r\n\r\n"+hidden),
			"TE.CL":                     post("Content-Length: 4\r\nTransfer-Encoding: chunked", chunked),
			"TE.TE, another spelling":   post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\nTransfer-encoding: x", chunked),
			"TE with a vertical tab":    post("Content-Length: 4\r\nTransfer-Encoding: \x0bchunked", chunked),
			"TE behind a space":         post("Content-Length: 4\r\nTransfer-Encoding : chunked", chunked),
			"two lengths":               post(fmt.Sprintf("Content-Length: 0\r\nContent-Length: %d", len(hidden)), hidden),
			"a length with a sign":      post(fmt.Sprintf("Content-Length: +%d", len(hidden)), hidden),
			"a body behind GET":         fmt.Sprintf("GET /version HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(hidden), hidden),
			"a line end in the path":    "GET /version\rGET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
			"a folded header":           "GET /version HTTP/1.1\r\nHost: x\r\nX: a\r\n Transfer-Encoding: chunked\r\n\r\n" + chunked,
			"h2c":                       "GET /version HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
			"a failed upgrade, version": upgrade + "Sec-WebSocket-Version: 777\r\n\r\n" + hidden,
			"a failed upgrade, session": strings.Replace(upgrade, "/ws/chat/", "/ws/chat/?session_id=x", 1) + "Sec-WebSocket-Version: 13\r\n\r\n" + hidden,
			"an upgrade elsewhere":      strings.Replace(upgrade, "/ws/chat/", "/version", 1) + "Sec-WebSocket-Version: 13\r\n\r\n" + hidden,
			"a hop-by-hop header":       "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close, X-Forwarded-For\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n",
			"an absolute address":       "GET http://x/metrics HTTP/1.1\r\nHost: y\r\n\r\n",
		} {
			for _, answer := range s.answers(request) {
				if strings.Contains(answer.body, "websocket_active_connections") || strings.Contains(answer.body, "go_goroutines") {
					t.Errorf("%s: /metrics was answered", name)
				}
				if answer.status == http.StatusSwitchingProtocols {
					t.Errorf("%s: switched protocols", name)
				}
			}
		}
		if s.status("/metrics") != http.StatusForbidden || s.status("/version") != http.StatusOK {
			t.Error("the front door answers otherwise than before")
		}
		harness.Row(t, "hostile", "request smuggling, "+strings.TrimPrefix(t.Name(), "TestSmugglingThroughTheFrontDoor/")+" front door",
			"nothing: 16 kinds (CL.TE, TE.CL, h2c, failed upgrades, …), none reached `/metrics`", "", "", "")
	})
}

func post(headers, body string) string {
	return "POST /version HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n\r\n" + body
}

type answer struct {
	status int
	body   string
}

// answers are all that the front door says to the bytes, and to a harmless request behind them, until it is silent.
func (s *stack) answers(wire string) []answer {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.Front(), "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, wire+"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	_ = conn.SetReadDeadline(time.Now().Add(time.Second)) // a request that never ends is waited for by both
	reader := bufio.NewReader(conn)
	var all []answer
	for {
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			return all
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		all = append(all, answer{response.StatusCode, string(body)})
	}
}
