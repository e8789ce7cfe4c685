package failover

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton/tests/harness"
)

const pulsePause = 5 * time.Millisecond

// pulse is a client that sends one message after the other and measures how long it is without an answer.
type pulse struct {
	addr    string
	session string
	running sync.WaitGroup
	stop    atomic.Bool
	answers atomic.Int64
	longest atomic.Int64 // ns between two answers
}

func startPulse(t *testing.T, addr, session string) *pulse {
	p := &pulse{addr: addr, session: session}
	p.running.Go(p.beat)
	t.Cleanup(p.end)
	p.waitAnswers(t, 10)
	p.take()
	return p
}

func (p *pulse) beat() {
	last := time.Now()
	for !p.stop.Load() {
		h := harness.Handshake{Session: p.session, Sub: harness.V1, Attempt: strconv.FormatInt(time.Now().UnixMicro(), 10)}
		peer, _, err := h.Open(p.addr)
		if err != nil || peer == nil {
			time.Sleep(pulsePause)
			continue
		}
		for !p.stop.Load() && p.ask(peer) {
			now := time.Now()
			p.longest.Store(max(p.longest.Load(), int64(now.Sub(last))))
			last = now
			p.answers.Add(1)
			time.Sleep(pulsePause)
		}
		peer.Close()
	}
}

// ask sends a message and waits for its count.
func (p *pulse) ask(peer *harness.Peer) bool {
	if peer.TrySend(harness.Text("beat")) != nil {
		return false
	}
	for {
		frame, err := peer.Read(patience)
		if err != nil || frame.Op == harness.OpClose {
			return false
		}
		if len(frame.Payload) > 8 && string(frame.Payload[:8]) == `{"count"` {
			return true
		}
	}
}

// take is the longest silence since it was asked for last.
func (p *pulse) take() time.Duration { return time.Duration(p.longest.Swap(0)).Round(time.Millisecond) }

func (p *pulse) waitAnswers(t *testing.T, more int64) {
	t.Helper()
	until := p.answers.Load() + more
	harness.Eventually(t, patience, "messages are answered", func() bool { return p.answers.Load() >= until })
}

func (p *pulse) end() {
	p.stop.Store(true)
	p.running.Wait()
}
