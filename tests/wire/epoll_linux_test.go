//go:build linux && !goroutines

package wire

import (
	"net"
	"testing"
	"time"

	"baton/tests/harness"
)

// A reset is an event that epoll repeats until the socket is closed: one that
// is only taken note of keeps a loop spinning.
func TestResetOfAPeerThatHadEndedIsSeenAtOnce(t *testing.T) {
	t.Parallel()
	redis := harness.StartRedis(t)
	s := harness.Start(t, harness.Env{"REDIS_URL": redis.URL(), "COMMIT_TIMEOUT": "1m"})
	p := s.Dial(harness.Handshake{})
	p.Silent()
	redis.Pause()
	p.Send(harness.Text("m"), harness.Close(1000, ""))
	socket := p.Conn.(*net.TCPConn)
	if err := socket.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if frame, err := p.Read(200 * time.Millisecond); err == nil {
		t.Fatalf("%v while a reply is owed", frame)
	}
	if err := socket.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	p.Close()
	s.WaitMetric(1, "websocket_closes_total", "code", "1006")
}
