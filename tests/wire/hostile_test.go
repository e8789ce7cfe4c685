package wire

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"baton/tests/harness"
)

// A process out of file descriptors refuses who comes, keeps whom it has, and takes newcomers again when some have left.
func TestOutOfFileDescriptors(t *testing.T) {
	t.Parallel()
	port := harness.FreePort(t)
	harness.Run(t, harness.Command{
		Path: "/bin/sh", Args: []string{"-c", "ulimit -n 60; exec \"$0\" serve", harness.Binary(t)},
		Env: []string{"HOST=127.0.0.1", "PORT=" + strconv.Itoa(port), "PATH=" + os.Getenv("PATH")},
	})
	addr := "127.0.0.1:" + strconv.Itoa(port)
	open := func() *harness.Peer {
		p, _, err := harness.Handshake{}.Open(addr)
		if err != nil {
			return nil
		}
		return p
	}
	var first *harness.Peer
	harness.Eventually(t, waitFor, "the server answers", func() bool { first = open(); return first != nil })
	first = harness.NewPeer(t, first.Conn)
	var waiting []interface{ Close() error }
	for range 80 {
		waiting = append(waiting, dialRaw(t, addr, []byte("GET /healthz HTTP/1.1\r\n")))
	}
	first.Say("still here")
	first.Count(1)
	for _, socket := range waiting {
		socket.Close()
	}
	harness.Eventually(t, waitFor, "newcomers are taken again", func() bool {
		p := open()
		if p != nil {
			p.Close()
		}
		return p != nil
	})
	first.Say("and still")
	first.Count(2)
}

func TestHandshakeThatNeverEndsIsCut(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for the server's patience to end")
	}
	s := harness.Start(t, nil)
	request := harness.Handshake{}.Bytes(s.Addr)
	for _, beginning := range [][]byte{request[:10], request[:len(request)-2]} {
		socket := dialRaw(t, s.Addr, beginning)
		_ = socket.SetReadDeadline(time.Now().Add(40 * time.Second))
		if _, err := bufio.NewReader(socket).ReadByte(); isTimeout(err) {
			t.Errorf("%d bytes of a handshake are waited on for 40s", len(beginning))
		}
	}
}

func TestHugeHeadersAreRefused(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	bystander := s.Dial(harness.Handshake{})
	for name, header := range map[string]string{
		"one huge line": "Cookie: " + strings.Repeat("x", 1<<20),
		"many lines":    strings.TrimSuffix(strings.Repeat("X-Many: x\r\n", 20000), "\r\n"),
	} {
		socket := dialRaw(t, s.Addr, nil)
		go func() { _, _ = socket.Write(harness.Handshake{Header: []string{header}}.Bytes(s.Addr)) }()
		_ = socket.SetReadDeadline(time.Now().Add(waitFor))
		answer, err := http.ReadResponse(bufio.NewReader(socket), nil)
		if isTimeout(err) {
			t.Errorf("%s: no answer", name)
		}
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode != 431 && answer.StatusCode != 400 {
				t.Errorf("%s: %d", name, answer.StatusCode)
			}
		}
	}
	bystander.Say("m")
	bystander.Count(1)
}

func TestGarbageInsteadOfHTTP(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	for _, garbage := range []string{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\r\n\r\n\r\n\r\n", "\x00\x00\x00\x00", "GET\r\n\r\n"} {
		socket := dialRaw(t, s.Addr, []byte(garbage))
		socket.Close()
	}
	socket := dialRaw(t, s.Addr, []byte("GARBAGE\r\n\r\n"))
	if answer, _ := io.ReadAll(socket); !bytes.Contains(answer, []byte("not a valid HTTP request")) || bytes.Contains(answer, []byte("GARBAGE")) {
		t.Errorf("answered %q, want an error without the request's own bytes", answer)
	}
	p := s.Dial(harness.Handshake{})
	p.Say("m")
	p.Count(1)
	if panics := s.Metrics().Value("websocket_errors_total", "reason", "panic"); panics != 0 {
		t.Errorf("%v panics", panics)
	}
}

func TestTinyFragmentsCostBoundedMemory(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	before := s.RSS(t)
	p := s.Dial(harness.Handshake{})
	p.Send(part(harness.OpText, false, ""))
	empty := bytes.Repeat(part(harness.OpContinuation, false, "").Encode(nil), 10000)
	for range 20 {
		if _, err := p.Write(empty); err != nil {
			break // an end to endless fragments is as well
		}
	}
	var partial []*harness.Peer
	for range 100 { // each a message of 64 KB that never ends
		q := s.Dial(harness.Handshake{})
		q.Send(part(harness.OpText, false, strings.Repeat("x", 60000)))
		partial = append(partial, q)
	}
	for _, q := range partial {
		q.Silent()
	}
	if grown := s.RSS(t) - before; grown > 64<<20 {
		t.Errorf("grown by %d MB", grown>>20)
	}
}

// Many connections want one session at once: in the end one of them has it, and the count goes on.
func TestTakeoverStorm(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"HEARTBEAT_INTERVAL": "200ms"})
	const claims = 30
	taken := make(chan *harness.Peer, claims)
	for i := range claims {
		go func() {
			p, _, err := harness.Handshake{Session: sessionA, Sub: harness.V1, Attempt: itoa(i + 1)}.Open(s.Addr)
			if err != nil {
				t.Errorf("claim %d: %v", i, err)
			}
			taken <- p
		}()
	}
	var peers []*harness.Peer
	for range claims {
		if p := <-taken; p != nil {
			peers = append(peers, harness.NewPeer(t, p.Conn))
		}
	}
	s.WaitMetric(1, "websocket_active_connections")
	live := 0
	for _, p := range peers {
		_ = p.TrySend(harness.Text("m"))
		for {
			frame, err := p.Read(waitFor)
			if err != nil || frame.Op == harness.OpClose {
				break
			}
			if counts(t, []harness.Frame{frame}, 1) == 1 {
				live++
				break
			}
		}
		p.Close()
	}
	if live != 1 {
		t.Errorf("%d connections counted", live)
	}
}

func TestNothingLeaksOverManyConnections(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	churn := func() {
		for i := range 200 {
			p := harness.Dial(t, s.Addr, harness.Handshake{})
			p.Say("m")
			p.Count(1)
			switch i % 3 {
			case 0:
				p.Send(harness.Frame{Op: 3})
			case 1:
				p.Send(harness.Close(1000, ""))
			}
			p.Close()
			s.Refused(harness.Handshake{Session: "x"})
		}
		s.WaitMetric(0, "websocket_active_connections")
	}
	churn()
	before := s.Metrics()
	churn()
	for name, slack := range map[string]float64{"process_open_fds": 5, "go_goroutines": 10} {
		harness.Eventually(t, waitFor, name+" falls back", func() bool {
			return s.Metrics().Value(name) <= before.Value(name)+slack
		})
	}
}

func TestAttemptWithLeadingZeros(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	s.Dial(claim(sessionA, "10")).Hello()
	if answer := s.Refused(claim(sessionA, "0007")); answer.Status != 409 && answer.Status != 400 {
		t.Errorf("%d", answer.Status)
	}
	p, _, err := claim(sessionA, "000011").Open(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	if p != nil {
		p.Close()
	}
	s.Dial(claim(sessionA, "12")).Hello()
}

// A handshake may come behind another request on the same connection, in the same write, with frames right behind it.
func TestUpgradeOfAKeptConnection(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	wire := []byte("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	wire = append(wire, harness.Handshake{}.Bytes(s.Addr)...)
	wire = harness.Text("b").Encode(harness.Text("a").Encode(wire))
	socket := dialRaw(t, s.Addr, wire)
	_ = socket.SetReadDeadline(time.Now().Add(waitFor))
	reader := bufio.NewReader(socket)
	for _, want := range []int{200, 101} {
		answer, err := http.ReadResponse(reader, nil)
		if err != nil || answer.StatusCode != want {
			t.Fatalf("%v %v, want %d", answer, err, want)
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil && want == 200 {
			t.Fatal(err)
		}
	}
	for n := 1; n <= 2; n++ {
		frame, err := harness.ReadFrame(reader)
		if err != nil || counts(t, []harness.Frame{frame}, n) != 1 {
			t.Fatalf("%v %v, want count %d", frame, err, n)
		}
	}
}

func TestHandshakeByOctets(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	socket := dialRaw(t, s.Addr, nil)
	for _, octet := range harness.Text("m").Encode(harness.Handshake{}.Bytes(s.Addr)) {
		if _, err := socket.Write([]byte{octet}); err != nil {
			t.Fatal(err)
		}
	}
	_ = socket.SetReadDeadline(time.Now().Add(waitFor))
	reader := bufio.NewReader(socket)
	if answer, err := http.ReadResponse(reader, nil); err != nil || answer.StatusCode != 101 {
		t.Fatalf("%v %v", answer, err)
	}
	if frame, err := harness.ReadFrame(reader); err != nil || counts(t, []harness.Frame{frame}, 1) != 1 {
		t.Fatalf("%v %v", frame, err)
	}
}

// A handshake that waits for Redis when the drain begins gets an answer, and holds nothing up.
func TestDrainWithAHandshakeOnItsWay(t *testing.T) {
	t.Parallel()
	redis := harness.StartRedis(t)
	s := harness.Start(t, harness.Env{"REDIS_URL": redis.URL(), "COMMIT_TIMEOUT": "1s", "DRAIN_SPREAD": "100ms"})
	redis.Pause()
	answered := make(chan int, 1)
	go func() {
		p, answer, _ := harness.Handshake{}.Open(s.Addr)
		if p != nil {
			p.Close()
		}
		answered <- answer.Status
	}()
	s.WaitNotReady() // Redis does not answer: by now the handshake waits for it, too
	s.Terminate()
	if status := <-answered; status != 503 {
		t.Errorf("the handshake was answered %d", status)
	}
	if code := s.Exit(t, waitFor); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestIPv6(t *testing.T) {
	t.Parallel()
	port := harness.FreePort(t)
	harness.Run(t, harness.Command{
		Path: harness.Binary(t), Env: []string{"HOST=::1", "PORT=" + strconv.Itoa(port), "PATH=" + os.Getenv("PATH")},
	})
	addr := "[::1]:" + strconv.Itoa(port)
	if probe, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skip("no IPv6 here")
	} else {
		probe.Close()
	}
	harness.Eventually(t, waitFor, "it answers over IPv6", func() bool {
		p, _, err := harness.Handshake{Header: []string{"Origin: http://" + addr}}.Open(addr)
		if p != nil {
			p.Close()
		}
		return err == nil && p != nil
	})
}
