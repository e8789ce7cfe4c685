package faults

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"baton/tests/harness"
)

const (
	hoarders     = 50
	unread       = 10_000                 // messages each of them sends
	perHoarder   = 1 << 20                // bytes of memory one may cost
	tolerable    = 500 * time.Millisecond // for somebody else's message, on a machine that is busy with the flood
	roundTripsIn = 100
)

// Clients that send 10,000 messages each and read nothing delay nobody and cost bounded memory.
func TestClientsThatReadNothing(t *testing.T) {
	redis := harness.StartRedis(t)
	s := harness.Start(t, harness.Env{"REDIS_URL": redis.URL()})
	quick := s.Dial(harness.Handshake{})
	quick.Say("warm")
	quick.Count(1)
	before := s.RSS(t)
	var flood sync.WaitGroup
	for range hoarders {
		p := s.Dial(harness.Handshake{})
		flood.Go(func() { hoard(p) })
	}
	var took []time.Duration
	peak := before
	for n := range roundTripsIn {
		start := time.Now()
		quick.Say("m")
		quick.Count(n + 2)
		took = append(took, time.Since(start))
		peak = max(peak, s.RSS(t))
	}
	flood.Wait()
	peak = max(peak, s.RSS(t))
	slices.Sort(took)
	t.Logf("round trips beside the flood: median %v, worst %v; memory %d → %d MB", took[len(took)/2], took[len(took)-1], before>>20, peak>>20)
	if worst := took[len(took)-1]; worst > tolerable {
		t.Errorf("another connection waited %v", worst)
	}
	if grown := (peak - before) / hoarders; grown > perHoarder {
		t.Errorf("each hoarder cost %d KB", grown>>10)
	}
	quick.Say("m")
	quick.Count(roundTripsIn + 2)
}

// hoard sends until everything is sent or the server has hung up.
func hoard(p *harness.Peer) {
	var wire []byte
	for range 100 {
		wire = harness.Text("never read").Encode(wire)
	}
	_ = p.SetWriteDeadline(time.Now().Add(20 * time.Second))
	for range unread / 100 {
		if _, err := p.Write(wire); err != nil {
			return
		}
	}
}

// A process with many busy connections drains within its time, answers what it owes and leaves with 0.
func TestDrainUnderLoad(t *testing.T) {
	redis := harness.StartRedis(t)
	s := harness.Start(t, harness.Env{"REDIS_URL": redis.URL(), "DRAIN_SPREAD": "1s"})
	const connections = 300
	var clients sync.WaitGroup
	for i := range connections {
		p := s.Dial(harness.Handshake{})
		clients.Go(func() { converseUntilDrained(t, p, i) })
	}
	s.WaitMetric(connections, "websocket_active_connections")
	start := time.Now()
	s.Terminate()
	if code := s.Exit(t, 20*time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
	t.Logf("drained in %v", time.Since(start))
	clients.Wait()
}

// converseUntilDrained sends one message at a time; the close has to be 1001, and no reply may be missing or stray.
func converseUntilDrained(t *testing.T, p *harness.Peer, number int) {
	for n := 1; ; n++ {
		if p.TrySend(harness.Text("m")) != nil {
			return
		}
		frame, err := p.Read(20 * time.Second)
		if err != nil {
			t.Errorf("client %d: no close frame: %v", number, err)
			return
		}
		if frame.Op == harness.OpClose {
			if frame.Code() != 1001 {
				t.Errorf("client %d: %v", number, frame)
			}
			return
		}
		if want := n; strings.ReplaceAll(string(frame.Payload), " ", "") != countOf(want) {
			t.Errorf("client %d: reply %s, want %d", number, frame.Payload, want)
			return
		}
	}
}
