package hostile

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"baton/tests/harness"
)

// floodPause bounds a flood: what it sends between two pauses is what one machine in a crowd of them would.
const floodPause = time.Millisecond

func TestFloodOfHandshakes(t *testing.T) {
	s := start(t, harness.Env{"CONNECT_RATE": "50"}) // a slow machine can't make 200
	var taken, refused atomic.Int64
	run(t, s, attack{name: "a flood of handshakes", strike: func(stop <-chan struct{}) {
		threads(4, func(int) {
			until(stop, 2000, func(int) {
				p, answer, err := harness.Handshake{LocalIP: attacker}.Open(s.Addr)
				switch {
				case err != nil:
					t.Error(err)
				case p != nil:
					taken.Add(1)
					p.Close()
				case answer.Status == 429 && answer.RetryAfter() > 0 && answer.ErrorCode(t) == "rate_limited":
					refused.Add(1)
				default:
					t.Errorf("answered %d %s", answer.Status, answer.Body)
				}
			})
		})
	}, verdict: func() string {
		if got := s.Metrics().Value("websocket_errors_total", "reason", "rate_limited"); got != float64(refused.Load()) || got == 0 {
			t.Errorf("%v are counted, %d were refused", got, refused.Load())
		}
		return fmt.Sprintf("open `CONNECT_RATE` a second; of %d, %d were refused 429, `rate_limited`", taken.Load()+refused.Load(), refused.Load())
	}})
}

func TestFloodOfPings(t *testing.T) {
	s := start(t, nil)
	var wire []byte
	for range 20 {
		wire = harness.Frame{Op: harness.OpPing, Payload: []byte(strings.Repeat("p", 125))}.Encode(wire)
	}
	var answered atomic.Int64
	run(t, s, attack{name: "a flood of pings", strike: func(stop <-chan struct{}) {
		threads(2, func(int) {
			p := opens(s, harness.Handshake{LocalIP: attacker})
			if p == nil {
				return
			}
			defer p.Close()
			until(stop, 1000, func(int) {
				if !p.wrote(wire) {
					return
				}
				for range 20 {
					if frame, err := p.Read(waitFor); err == nil && frame.Op == harness.OpPong {
						answered.Add(1)
					}
				}
				time.Sleep(floodPause)
			})
		})
	}, verdict: func() string {
		if answered.Load() == 0 {
			t.Error("no ping was answered")
		}
		return fmt.Sprintf("get its %d pongs", answered.Load())
	}})
}

func TestFloodOfTinyFragments(t *testing.T) {
	s := start(t, nil)
	tiny := harness.Frame{Op: harness.OpContinuation, NotFin: true, Payload: []byte("x")}
	var wire []byte
	for range 1000 {
		wire = tiny.Encode(wire)
	}
	var cut atomic.Int64
	run(t, s, attack{name: "a flood of tiny fragments", strike: func(stop <-chan struct{}) {
		threads(2, func(int) {
			until(stop, 10, func(int) {
				p := opens(s, harness.Handshake{LocalIP: attacker})
				if p == nil {
					return
				}
				defer p.Close()
				_ = p.TrySend(harness.Frame{Op: harness.OpText, NotFin: true})
				_ = p.SetWriteDeadline(time.Now().Add(waitFor))
				for p.wrote(wire) {
					time.Sleep(floodPause)
				}
				cut.Add(1)
			})
		})
	}, verdict: func() string {
		s.WaitMetric(float64(cut.Load()), "websocket_errors_total", "reason", "message_too_big")
		if cut.Load() == 0 {
			t.Error("no message was too big")
		}
		return "send `MAX_MESSAGE_BYTES` of them; closed 1009, `message_too_big`"
	}})
}

func TestHugeHeaders(t *testing.T) {
	s := start(t, nil)
	request := harness.Handshake{Header: []string{"Cookie: " + strings.Repeat("x", 1<<20)}}.Bytes(s.Addr)
	var refused atomic.Int64
	run(t, s, attack{name: "headers of a megabyte", strike: func(stop <-chan struct{}) {
		threads(2, func(int) {
			until(stop, 200, func(int) {
				socket, err := dialFrom(s.Addr)
				if err != nil {
					t.Error(err)
					return
				}
				defer socket.Close()
				go func() { _, _ = socket.Write(request) }() // it is cut before its end
				_ = socket.SetReadDeadline(time.Now().Add(waitFor))
				answer, err := io.ReadAll(socket)
				if isTimeout(err) {
					t.Error("no answer")
				}
				if len(answer) > 0 && !strings.HasPrefix(string(answer), "HTTP/1.1 431 ") {
					t.Errorf("answered %.80q", answer)
				}
				refused.Add(1)
				time.Sleep(floodPause)
			})
		})
	}, verdict: func() string {
		if refused.Load() == 0 || s.Metrics().Value("websocket_connections_total") != crowd {
			t.Errorf("%d were refused", refused.Load())
		}
		return "have 8 KB of them read; refused 431, or cut"
	}})
}

// Compression is never agreed to, so that a frame that is compressed all the same is a violation, however small or large.
func TestCompressedBombs(t *testing.T) {
	s := start(t, nil)
	bomb := harness.Frame{Op: harness.OpText, RSV: 4, Payload: []byte("\xec\xc1\x01\x01\x00\x00\x00\x80\x90\xfe\xaf\xee\x08")}
	offer := harness.Handshake{LocalIP: attacker, Header: []string{"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"}}
	var closed atomic.Int64
	run(t, s, attack{name: "compressed bombs", strike: func(stop <-chan struct{}) {
		threads(1, func(int) {
			until(stop, 40, func(int) {
				p, answer, err := offer.Open(s.Addr)
				if err != nil || p == nil {
					t.Errorf("%v %v", answer, err)
					return
				}
				defer p.Close()
				if agreed := answer.Header.Get("Sec-WebSocket-Extensions"); agreed != "" {
					t.Errorf("agreed to %s", agreed)
				}
				_ = p.TrySend(bomb)
				if frame, err := p.Read(waitFor); err != nil || frame.Code() != 1002 {
					t.Errorf("got %v %v", frame, err)
				}
				closed.Add(1)
				time.Sleep(10 * floodPause)
			})
		})
	}, verdict: func() string {
		s.WaitMetric(float64(closed.Load()), "websocket_errors_total", "reason", "protocol_error")
		return "have nothing unpacked: `permessage-deflate` is not negotiated; closed 1002, `protocol_error`"
	}})
}

func TestThousandsOfSessionsFromOneAddress(t *testing.T) {
	const limit, wanted = 1000, 2000
	s := start(t, harness.Env{"CONNECT_RATE": "0"}) // MAX_CONNECTIONS_PER_ADDRESS is the default
	var held, refused atomic.Int64
	run(t, s, attack{name: "2,000 sessions from one address", strike: func(stop <-chan struct{}) {
		threads(1, func(int) {
			until(stop, int(wanted-held.Load()-refused.Load()), func(int) {
				p, answer, err := harness.Handshake{LocalIP: attacker}.Open(s.Addr)
				switch {
				case err != nil:
					t.Error(err)
				case p != nil:
					held.Add(1)
					t.Cleanup(func() { p.Close() })
				case answer.Status == 429 && answer.RetryAfter() > 0 && answer.ErrorCode(t) == "too_many_connections":
					refused.Add(1)
				default:
					t.Errorf("answered %d %s", answer.Status, answer.Body)
				}
			})
		})
	}, verdict: func() string {
		for held.Load()+refused.Load() < wanted {
			p, answer, _ := harness.Handshake{LocalIP: attacker}.Open(s.Addr)
			if p != nil {
				held.Add(1)
				t.Cleanup(func() { p.Close() })
			} else if answer.Status == 429 {
				refused.Add(1)
			}
		}
		if held.Load() != limit {
			t.Errorf("holds %d", held.Load())
		}
		s.WaitMetric(float64(refused.Load()), "websocket_errors_total", "reason", "too_many_connections")
		s.Dial(harness.Handshake{}) // another address has room
		return fmt.Sprintf("hold %d (`MAX_CONNECTIONS_PER_ADDRESS`); %d were refused 429, `too_many_connections`", held.Load(), refused.Load())
	}})
}
