package wire

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"baton/tests/harness"
)

func TestPlainOpenSendsNothing(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	s.Dial(harness.Handshake{}).Silent()
}

func TestPlainAnyTextCounts(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, nil).Dial(harness.Handshake{})
	for i, text := range []string{
		"hello", "", "{\"count\":7}", "zażółć 日本 🦆", "\x00\n\r", strings.Repeat("x", 65536), `{"type":"heartbeat"}`, "ping",
	} {
		p.Say(text)
		p.Count(i + 1)
	}
	p.Silent()
}

func TestPlainRepliesInOrderOneEach(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, nil).Dial(harness.Handshake{})
	const messages = 3000
	p.Say(harness.Repeat("m", messages)...)
	p.Count(1, messages)
	p.Silent()
}

func TestPlainWithoutTrailingSlash(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	first := s.Dial(harness.Handshake{Path: "/ws/chat", Session: sessionA})
	first.Say("a")
	first.Count(1)
	first.Close()
	second := s.Dial(harness.Handshake{Session: sessionA})
	second.Say("b")
	second.Count(2)
}

func TestPlainFramesSentWithTheHandshake(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	for _, sub := range []string{"", harness.V1} {
		p := dialEager(t, s, harness.Handshake{Sub: sub}, harness.Text("a"), harness.Text("b"), harness.Text("c"))
		if sub == harness.V1 {
			p.Hello()
		}
		p.Count(1, 3)
		p.Silent()
	}
}

func TestPlainStoredBeforeTheReply(t *testing.T) {
	t.Parallel()
	redis := harness.StartRedis(t)
	s := harness.Start(t, harness.Env{"REDIS_URL": redis.URL()})
	p := s.Dial(harness.Handshake{Session: sessionA})
	for n := 1; n <= 20; n++ {
		p.Say("m")
		p.Count(n)
		if got := redis.Field(sessionA, "count"); got != itoa(n) {
			t.Fatalf("reply %d was sent while Redis holds %q", n, got)
		}
	}
	redis.Pause()
	p.Say("m")
	if frame, err := p.Read(300 * time.Millisecond); err == nil {
		t.Fatalf("%v while Redis takes nothing", frame)
	}
	redis.Resume()
	p.Count(21)
}

func TestPlainOwedRepliesBeforeAnswerToClose(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, nil).Dial(harness.Handshake{})
	frames := []harness.Frame{}
	for range 100 {
		frames = append(frames, harness.Text("m"))
	}
	p.Send(append(frames, harness.Close(1000, "bye"))...)
	p.Count(1, 100)
	p.Closed(1000)
}

func TestPlainOwedRepliesReachAPeerThatReadsSlowly(t *testing.T) {
	t.Parallel()
	const messages, slowly = 20000, 10000
	p := harness.Start(t, nil).Dial(harness.Handshake{})
	if err := p.Conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	p.Say(harness.Repeat("", messages)...)
	p.Send(harness.Close(1000, ""))
	pace := time.NewTicker(250 * time.Millisecond)
	defer pace.Stop()
	for n := 1; n <= messages; n += 1000 {
		p.Count(n, n+999)
		if n < slowly {
			<-pace.C
		}
	}
	p.Closed(1000)
}

func TestPlainOwedRepliesBeforeAnswerToCloseWhileRedisIsSlow(t *testing.T) {
	t.Parallel()
	redis := harness.StartRedis(t)
	p := harness.Start(t, harness.Env{"REDIS_URL": redis.URL()}).Dial(harness.Handshake{})
	redis.Pause()
	p.Send(harness.Text("a"), harness.Text("b"), harness.Close(1000, ""))
	if frame, err := p.Read(200 * time.Millisecond); err == nil {
		t.Fatalf("%v while a reply is owed", frame)
	}
	redis.Resume()
	p.Count(1, 2)
	p.Closed(1000)
}

func TestPlainShutdownSendsOwedRepliesThen1001(t *testing.T) {
	t.Parallel()
	redis := harness.StartRedis(t)
	s := harness.Start(t, harness.Env{"REDIS_URL": redis.URL(), "DRAIN_SPREAD": "100ms"})
	p := s.Dial(harness.Handshake{Session: sessionA})
	idle := s.Dial(harness.Handshake{})
	p.Silent()
	idle.Silent()
	redis.Pause()
	p.Say(harness.Repeat("m", 5)...)
	s.Terminate()
	if closed := idle.Closed(1001); closed.Reason() != "server draining" {
		t.Errorf("reason %q", closed.Reason())
	}
	redis.Resume()
	p.Count(1, 5)
	p.Closed(1001)
	if code := s.Exit(t, 5*time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if got := redis.Field(sessionA, "count"); got != "5" {
		t.Errorf("Redis holds %q", got)
	}
}

func TestUnknownSubprotocolIsAPlainClient(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	for _, sub := range []string{"chat", "baton.v2", "BATON.V1", "baton", "chat, superchat"} {
		p, answer, err := harness.Handshake{Sub: sub}.Open(s.Addr)
		if err != nil || p == nil {
			t.Fatalf("%q: %v %v", sub, answer, err)
		}
		p.Close()
		if got := answer.Header.Get("Sec-WebSocket-Protocol"); got != "" {
			t.Errorf("%q: the server chose %q", sub, got)
		}
		s.Dial(harness.Handshake{Sub: sub}).Silent()
	}
}

func TestV1AmongSeveralSubprotocols(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	for _, sub := range []string{"baton.v1", "chat, baton.v1", "baton.v1,chat", "chat ,\tbaton.v1"} {
		p, answer, err := harness.Handshake{Sub: sub}.Open(s.Addr)
		if err != nil || p == nil {
			t.Fatalf("%q: %v %v", sub, answer, err)
		}
		p.Close()
		if got := answer.Header.Get("Sec-WebSocket-Protocol"); got != harness.V1 {
			t.Errorf("%q: the server chose %q", sub, got)
		}
		s.Dial(harness.Handshake{Sub: sub}).Hello()
	}
}

func TestV1OnASecondHeaderLine(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	request := strings.Replace(string(harness.Handshake{Sub: "chat"}.Bytes(s.Addr)), "\r\n\r\n", "\r\nSec-WebSocket-Protocol: "+harness.V1+"\r\n\r\n", 1)
	answer, err := http.ReadResponse(bufio.NewReader(dialRaw(t, s.Addr, []byte(request))), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if got := answer.Header.Get("Sec-WebSocket-Protocol"); answer.StatusCode != 101 || got != harness.V1 {
		t.Errorf("%d, the server chose %q", answer.StatusCode, got)
	}
}

// dialEager sends frames in the same write as the handshake, before the server has said 101.
func dialEager(t *testing.T, s *harness.Server, h harness.Handshake, frames ...harness.Frame) *harness.Peer {
	t.Helper()
	wire := h.Bytes(s.Addr)
	for _, frame := range frames {
		wire = frame.Encode(wire)
	}
	socket, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	if _, err := socket.Write(wire); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 0, 512)
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		var one [1]byte
		_ = socket.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := socket.Read(one[:]); err != nil {
			t.Fatalf("handshake: %v after %q", err, head)
		}
		head = append(head, one[0])
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 101")) {
		t.Fatalf("refused: %q", head)
	}
	return harness.NewPeer(t, socket)
}
