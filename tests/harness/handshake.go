package harness

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// V1 is the subprotocol of clients that resume exactly.
	V1 = "baton.v1"

	handshakeKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	handshakeGUID   = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	handshakeWithin = 15 * time.Second
)

// Handshake is an opening request, every part of which may be wrong.
type Handshake struct {
	Session  string        // session_id, left out when empty
	Attempt  string        // attempt, left out when empty
	Query    string        // the whole query instead of the two above
	Path     string        // /ws/chat/
	Method   string        // GET
	Protocol string        // HTTP/1.1
	Sub      string        // Sec-WebSocket-Protocol, left out when empty
	Header   []string      // `Name: value` lines; each takes the place of a default of that name, `Name:` removes it
	LocalIP  string        // the address to come from
	Within   time.Duration // for the connect, and for the answer; 0: handshakeWithin
}

// Bytes is the request as it goes out.
func (h Handshake) Bytes(host string) []byte {
	lines := []string{
		"Host: " + host, "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Key: " + handshakeKey, "Sec-WebSocket-Version: 13",
	}
	if h.Sub != "" {
		lines = append(lines, "Sec-WebSocket-Protocol: "+h.Sub)
	}
	for _, line := range h.Header {
		lines = replaceHeader(lines, line)
	}
	var request bytes.Buffer
	fmt.Fprintf(&request, "%s %s %s\r\n", or(h.Method, "GET"), h.target(), or(h.Protocol, "HTTP/1.1"))
	for _, line := range lines {
		request.WriteString(line + "\r\n")
	}
	request.WriteString("\r\n")
	return request.Bytes()
}

func (h Handshake) target() string {
	query := h.Query
	if query == "" {
		var parts []string
		if h.Session != "" {
			parts = append(parts, "session_id="+h.Session)
		}
		if h.Attempt != "" {
			parts = append(parts, "attempt="+h.Attempt)
		}
		query = strings.Join(parts, "&")
	}
	target := or(h.Path, "/ws/chat/")
	if query != "" {
		target += "?" + query
	}
	return target
}

// Open sends the request and reads the answer. The connection is nil unless the answer is 101.
func (h Handshake) Open(addr string) (*Peer, Answer, error) {
	dialer := net.Dialer{Timeout: cmp.Or(h.Within, handshakeWithin)}
	if h.LocalIP != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(h.LocalIP)}
	}
	socket, err := dialer.Dial("tcp", addr)
	if err != nil {
		return nil, Answer{}, err
	}
	peer := &Peer{Conn: socket, reader: bufio.NewReader(socket)}
	answer, err := peer.shake(h.Bytes(addr), cmp.Or(h.Within, handshakeWithin))
	if err != nil || answer.Status != http.StatusSwitchingProtocols {
		socket.Close()
		return nil, answer, err
	}
	return peer, answer, nil
}

func (p *Peer) shake(request []byte, within time.Duration) (Answer, error) {
	_ = p.SetDeadline(time.Now().Add(within))
	defer p.SetDeadline(time.Time{})
	if _, err := p.Write(request); err != nil {
		return Answer{}, fmt.Errorf("write handshake: %w", err)
	}
	response, err := http.ReadResponse(p.reader, nil)
	if err != nil {
		return Answer{}, fmt.Errorf("read handshake: %w", err)
	}
	answer := Answer{Status: response.StatusCode, Header: response.Header}
	if answer.Status == http.StatusSwitchingProtocols {
		return answer, checkAccept(answer.Header)
	}
	body, err := io.ReadAll(response.Body)
	answer.Body = string(body)
	return answer, err
}

// AcceptKey is what a server answers to a Sec-WebSocket-Key, RFC 6455 section 4.2.2.
func AcceptKey(key string) string {
	sum := sha1.Sum([]byte(key + handshakeGUID))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func checkAccept(header http.Header) error {
	if got, want := header.Get("Sec-WebSocket-Accept"), AcceptKey(handshakeKey); got != want {
		return fmt.Errorf("Sec-WebSocket-Accept is %q, want %q", got, want)
	}
	if !strings.EqualFold(header.Get("Upgrade"), "websocket") || !strings.EqualFold(header.Get("Connection"), "upgrade") {
		return fmt.Errorf("101 without Upgrade and Connection: %v", header)
	}
	return nil
}

// RetryAfter is the answer's Retry-After in seconds, 0 when there is none that is a positive number.
func (a Answer) RetryAfter() int {
	seconds, err := strconv.Atoi(a.Header.Get("Retry-After"))
	if err != nil || seconds < 1 {
		return 0
	}
	return seconds
}

func replaceHeader(lines []string, line string) []string {
	name, value, _ := strings.Cut(line, ":")
	var kept []string
	for _, old := range lines {
		if oldName, _, _ := strings.Cut(old, ":"); !strings.EqualFold(oldName, name) {
			kept = append(kept, old)
		}
	}
	if value == "" {
		return kept
	}
	return append(kept, line)
}

func or(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}
