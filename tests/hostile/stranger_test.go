package hostile

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"baton/tests/harness"
)

const stranger = "attempt=99999999999999&session_id="

func TestGuessedSessionIDs(t *testing.T) {
	s := start(t, harness.Env{"SESSION_KEYS": strings.Repeat("k", 32), "CONNECT_RATE": "0"})
	own := s.Dial(harness.Handshake{})
	_, signature, _ := strings.Cut(own.Session, ".")
	var guesses atomic.Int64
	run(t, s, attack{name: "guessed session ids, signed ones", strike: func(stop <-chan struct{}) {
		threads(2, func(int) {
			until(stop, 1000, func(n int) {
				guess := []string{uuid.NewString(), own.Session[:36], uuid.NewString() + "." + signature}[n%3]
				p, answer, err := harness.Handshake{LocalIP: attacker, Query: stranger + guess}.Open(s.Addr)
				if err != nil || p != nil || answer.Status != 401 {
					t.Errorf("%s: %v %v", guess, answer, err)
				}
				guesses.Add(1)
			})
		})
	}, verdict: func() string {
		metrics := s.Metrics()
		if got := metrics.Value("websocket_errors_total", "reason", "session_token_invalid"); got != float64(guesses.Load()) || got == 0 {
			t.Errorf("%v are counted of %d", got, guesses.Load())
		}
		if metrics.Value("websocket_fenced_total") != 0 || metrics.Value("websocket_connections_total") != crowd+1 {
			t.Error("a session was opened")
		}
		own.Say("m") // nobody took it over
		own.Count(1)
		return fmt.Sprintf("nothing: all %d were refused 401, `session_token_invalid`", guesses.Load())
	}})
}

func TestCrossSiteHijacking(t *testing.T) {
	s := start(t, harness.Env{"ALLOWED_ORIGINS": "https://shop.example", "CONNECT_RATE": "0"})
	host, _, _ := strings.Cut(s.Addr, ":")
	origins := []string{
		"https://evil.example", "null", "http://" + host, "http://" + s.Addr + ".evil.example", "http://" + s.Addr + "@evil.example",
		"https://shop.example.evil.example", "http://shop.example", "https://evil.example?https://shop.example", "file://", "https://*",
	}
	var refused atomic.Int64
	run(t, s, attack{name: "another site's page (cross-site WebSocket hijacking)", strike: func(stop <-chan struct{}) {
		threads(1, func(int) {
			until(stop, 500, func(n int) {
				p, answer, err := harness.Handshake{LocalIP: attacker, Header: []string{"Cookie: session=x", "Origin: " + origins[n%len(origins)]}}.Open(s.Addr)
				if err != nil || p != nil || answer.Status != 403 || answer.ErrorCode(t) != "origin_not_allowed" {
					t.Errorf("%s: %v %v", origins[n%len(origins)], answer, err)
				}
				refused.Add(1)
			})
		})
	}, verdict: func() string {
		if got := s.Metrics().Value("websocket_errors_total", "reason", "origin_not_allowed"); got != float64(refused.Load()) || refused.Load() < int64(len(origins)) {
			t.Errorf("%v are counted of %d", got, refused.Load())
		}
		s.Dial(harness.Handshake{Header: []string{"Origin: https://shop.example"}})
		s.Dial(harness.Handshake{Header: []string{"Origin: http://" + s.Addr}})
		return "nothing: every spelling is refused 403, `origin_not_allowed`"
	}})
}

// What a client writes reaches the log escaped, bounded or not at all, also where its X-Forwarded-For is believed.
func TestInjectionIntoHeadersAndLogs(t *testing.T) {
	s := start(t, harness.Env{"TRUSTED_PROXIES": "127.0.0.0/8,fe80::/10", "LOG_LEVEL": "debug", "CONNECT_RATE": "0"})
	const forged = "forged-by-the-client"
	nasty := []string{
		forged + "\x1b[31m", forged + "\" level=ERROR", "\x00" + forged, "\u2028" + forged, "{\"" + forged + "\":1}", strings.Repeat(forged, 300),
	}
	var requests []string
	for _, text := range nasty {
		for _, name := range []string{"X-Request-Id", "User-Agent", "Referer", "X-Forwarded-For", "Origin"} {
			requests = append(requests, "GET /ws/chat/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"+name+": "+text+"\r\n\r\n")
		}
	}
	for _, id := range []string{"%0d%0a%7b%22msg%22:%22" + forged + "%22%7d", "%1b%5b31m" + forged, strings.Repeat(forged, 300), "a%00" + forged} {
		requests = append(requests, "GET /ws/chat/?session_id="+id+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
			string(harness.Handshake{Session: id}.Bytes(s.Addr)))
	}
	requests = append(requests, "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: fe80::1%"+forged+"\r\nConnection: close\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\r\n\tX-"+forged+": b\r\nConnection: close\r\n\r\n")
	run(t, s, attack{name: "header and log injection", strike: func(stop <-chan struct{}) {
		threads(1, func(int) {
			until(stop, 2*len(requests), func(n int) {
				answer := raw(t, s.Addr, requests[n%len(requests)])
				if answer == nil {
					return // what is no HTTP is cut
				}
				for name, values := range answer.Header {
					if strings.Contains(name+strings.Join(values, ""), forged) {
						t.Errorf("the answer has %s: %q", name, values)
					}
				}
			})
		})
	}, verdict: func() string {
		for line := range strings.Lines(s.Stdout()) {
			var object map[string]any
			if json.Unmarshal([]byte(line), &object) != nil || object["time"] == nil || len(line) > 1000 || strings.ContainsAny(strings.TrimSuffix(line, "\n"), "\x1b\x00\n\u2028") {
				t.Fatalf("a line of the log is not one of ours: %.300q", line)
			}
			if strings.Contains(line, forged) {
				t.Fatalf("the log says what a client wrote: %.300q", line)
			}
		}
		if s.Stderr() != "" {
			t.Errorf("stderr: %s", s.Stderr())
		}
		return "nothing: ids that are not plain words are replaced, addresses are parsed, nothing else is logged"
	}})
}

func TestPathTricks(t *testing.T) {
	s := start(t, harness.Env{"CONNECT_RATE": "0"})
	paths := []string{
		"/assets/../../../../etc/passwd", "/assets/..%2f..%2fgo.mod", "/assets/%2e%2e/%2e%2e/etc/passwd", "/assets/%5c..%5cx", "/assets/.", "/assets//",
		"/%00", "/ws/chat/x", "/ws/chat/%2e%2e/%2e%2e/x", "/metrics/../x", "//evil.example/", "/ws;/chat/", "/" + strings.Repeat("a/", 2000), "/\x7f\x80",
	}
	run(t, s, attack{name: "path tricks", strike: func(stop <-chan struct{}) {
		threads(1, func(int) {
			until(stop, 2*len(paths), func(n int) {
				path := paths[n%len(paths)]
				answer := raw(t, s.Addr, "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
				if answer != nil && answer.StatusCode != 400 && answer.StatusCode != 404 {
					t.Errorf("%.60q: %d", path, answer.StatusCode)
				}
			})
		})
	}, verdict: func() string {
		for _, sample := range s.Metrics() {
			if path := sample.Labels["path"]; strings.ContainsAny(path, ".%;\\") || strings.Contains(path, "a/a") || strings.Contains(path, "evil") {
				t.Errorf("a path is a label: %v", sample)
			}
		}
		return "nothing: 404 or 400, and no label of a metric is a path"
	}})
}

// raw sends a request as it is; nil is no answer in HTTP.
func raw(t *testing.T, addr, request string) *http.Response {
	socket, err := dialFrom(addr)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer socket.Close()
	_ = socket.SetDeadline(time.Now().Add(waitFor))
	if _, err := socket.Write([]byte(request)); err != nil {
		return nil
	}
	answer, err := http.ReadResponse(bufio.NewReader(socket), nil)
	if isTimeout(err) {
		t.Errorf("no answer to %.60q", request)
	}
	if err != nil {
		return nil
	}
	answer.Body.Close()
	return answer
}
