package wire

import (
	"encoding/json"
	"net"
	"reflect"
	"strconv"
	"testing"
	"time"

	"baton/tests/harness"
)

// waitFor is how long a test waits for something that has to happen.
const waitFor = 10 * time.Second

func itoa(n int) string { return strconv.Itoa(n) }

// stored is what the session message tells a fresh claim of the session: what is counted.
func stored(t *testing.T, s *harness.Server, session string) int {
	t.Helper()
	p := s.Dial(harness.Handshake{Session: session, Sub: harness.V1})
	defer p.Close()
	count, ok := p.Hello()["count"].(float64)
	if !ok {
		t.Fatal("session message without a count")
	}
	return int(count)
}

// counts says how many replies are among frames; they have to rise by one from first.
func counts(t *testing.T, frames []harness.Frame, first int) int {
	t.Helper()
	n := 0
	for _, frame := range frames {
		var reply struct {
			Count *int
			Type  string
		}
		if frame.Op != harness.OpText {
			continue
		}
		if err := json.Unmarshal(frame.Payload, &reply); err != nil {
			t.Fatalf("%v: %v", frame, err)
		}
		if reply.Count == nil || reply.Type != "" {
			continue
		}
		if *reply.Count != first+n {
			t.Fatalf("reply %s, want count %d", frame.Payload, first+n)
		}
		n++
	}
	return n
}

// dialRaw opens a TCP connection and writes some bytes.
func dialRaw(t *testing.T, addr string, wire []byte) net.Conn {
	t.Helper()
	socket, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	if _, err := socket.Write(wire); err != nil {
		t.Fatal(err)
	}
	return socket
}

// sameJSON compares two texts as JSON.
func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}
