package hostile

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton/tests/harness"
)

const (
	slowPeers = 300
	slowPace  = 20 * time.Millisecond // between two bytes
)

// A request that comes a byte at a time holds a socket for as long as a request may take, and no session's slot.
func TestSlowHandshakes(t *testing.T) {
	s := start(t, nil)
	opened := time.Now()
	var longest atomic.Int64
	var watched sync.WaitGroup
	var sockets []net.Conn
	for range slowPeers {
		socket := dial(t, s.Addr)
		sockets = append(sockets, socket)
		watched.Go(func() {
			_ = socket.SetReadDeadline(opened.Add(2 * waitFor))
			answer := make([]byte, 1)
			if _, err := socket.Read(answer); isTimeout(err) {
				t.Error("a handshake that never ends is waited on")
			}
			longest.Store(max(longest.Load(), int64(time.Since(opened))))
		})
	}
	request := harness.Handshake{Header: []string{"Cookie: " + strings.Repeat("x", 4000)}}.Bytes(s.Addr)
	sent := 0
	trickle := func(stop <-chan struct{}) {
		threads(1, func(int) {
			until(stop, len(request)-2-sent, func(int) {
				for _, socket := range sockets {
					_, _ = socket.Write(request[sent : sent+1]) // one that was cut takes none
				}
				sent++
				time.Sleep(slowPace)
			})
		})
	}
	run(t, s, attack{name: "slow handshakes, a byte every 20 ms", strike: trickle, verdict: func() string {
		done := make(chan struct{})
		go func() { watched.Wait(); close(done) }()
		for ended := false; !ended; {
			select {
			case <-done:
				ended = true
			default:
				over := make(chan struct{})
				time.AfterFunc(roundTime, func() { close(over) })
				trickle(over)
			}
		}
		if got := s.Metrics().Value("websocket_connections_total"); got != crowd {
			t.Errorf("%v connections were opened", got)
		}
		return fmt.Sprintf("hold %d sockets for %.0f s, no slot; then cut", slowPeers, time.Duration(longest.Load()).Seconds())
	}})
}

// A message that comes a byte at a time holds a slot of its address, and memory for what has come of it.
func TestSlowFrames(t *testing.T) {
	s := start(t, harness.Env{"CONNECT_RATE": "0"})
	var peers []*harness.Peer
	for range slowPeers {
		peers = append(peers, s.Dial(harness.Handshake{LocalIP: attacker}))
	}
	message := harness.Text(strings.Repeat("x", 60000)).Encode(nil)
	sent := 0
	run(t, s, attack{name: "slow frames, a byte every 20 ms", strike: func(stop <-chan struct{}) {
		threads(1, func(int) {
			until(stop, len(message)-sent, func(int) {
				for _, p := range peers {
					if _, err := p.Write(message[sent : sent+1]); err != nil {
						t.Error(err)
					}
				}
				sent++
				time.Sleep(slowPace)
			})
		})
	}, verdict: func() string {
		if got := s.Metrics().Value("websocket_active_connections"); got != crowd+slowPeers {
			t.Errorf("%v connections", got)
		}
		return fmt.Sprintf("hold %d of its address's slots", slowPeers)
	}})
}

// A peer that is gone without a word is found by its silence.
func TestHalfOpenSockets(t *testing.T) {
	s := start(t, harness.Env{"CONNECT_RATE": "0", "IDLE_TIMEOUT": "2s"})
	for range slowPeers {
		s.Dial(harness.Handshake{LocalIP: attacker}) // and never reads or writes again
	}
	run(t, s, attack{name: "half-open sockets", strike: func(stop <-chan struct{}) { <-stop }, verdict: func() string {
		s.WaitMetric(slowPeers, "websocket_errors_total", "reason", "idle_timeout")
		s.WaitMetric(slowPeers, "websocket_closes_total", "code", "4000")
		s.WaitMetric(crowd, "websocket_active_connections")
		return fmt.Sprintf("hold %d slots until `IDLE_TIMEOUT`; closed 4000, `idle_timeout`", slowPeers)
	}})
}

// A peer that asks and never reads fills its own queue, and is cut.
func TestNeverReadingClients(t *testing.T) {
	s := start(t, nil)
	var opened atomic.Int64
	var wire []byte
	for range 500 {
		wire = harness.Text("").Encode(wire)
	}
	run(t, s, attack{name: "clients that never read", strike: func(stop <-chan struct{}) {
		threads(2, func(int) {
			until(stop, 20, func(int) {
				p := opens(s, harness.Handshake{LocalIP: attacker})
				if p == nil {
					return
				}
				defer p.Close()
				opened.Add(1)
				_ = p.SetWriteDeadline(time.Now().Add(waitFor))
				for p.wrote(wire) {
					time.Sleep(time.Millisecond)
				}
			})
		})
	}, verdict: func() string {
		s.WaitMetric(float64(opened.Load()), "websocket_errors_total", "reason", "slow_reader")
		if opened.Load() == 0 {
			t.Error("none was opened")
		}
		return "fill its own queue; closed 4002, `slow_reader`"
	}})
}
