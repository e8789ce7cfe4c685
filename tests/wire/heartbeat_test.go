package wire

import (
	"regexp"
	"testing"
	"time"

	"baton/tests/harness"
)

var stamp = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)

func TestHeartbeatGoesToEveryConnection(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"HEARTBEAT_INTERVAL": "200ms"})
	plain, v1 := s.Dial(harness.Handshake{}), s.Dial(harness.Handshake{Sub: harness.V1})
	v1.Hello()
	for range 3 {
		checkHeartbeat(t, plain)
		checkHeartbeat(t, v1)
	}
}

func TestHeartbeatKeepsItsInterval(t *testing.T) {
	t.Parallel()
	const interval = 300 * time.Millisecond
	p := harness.Start(t, harness.Env{"HEARTBEAT_INTERVAL": interval.String()}).Dial(harness.Handshake{})
	first := checkHeartbeat(t, p)
	var last time.Time
	for range 5 {
		last = checkHeartbeat(t, p)
	}
	if mean := last.Sub(first) / 5; mean < interval-20*time.Millisecond || mean > interval+60*time.Millisecond {
		t.Errorf("a heartbeat every %v, want %v", mean, interval)
	}
}

func TestHeartbeatAmongRepliesIsNoReply(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Env{"HEARTBEAT_INTERVAL": "20ms"}).Dial(harness.Handshake{})
	heartbeats, count := 0, 0
	for heartbeats < 5 || count < 100 {
		p.Say("m")
		for want := count + 1; count < want; {
			if object := p.Object(); object["type"] == "heartbeat" {
				heartbeats++
			} else if count++; object["count"] != float64(count) {
				t.Fatalf("%v, want count %d", object, count)
			}
		}
	}
}

func checkHeartbeat(t *testing.T, p *harness.Peer) time.Time {
	t.Helper()
	object := p.Object()
	ts, _ := object["ts"].(string)
	if object["type"] != "heartbeat" || len(object) != 2 || !stamp.MatchString(ts) {
		t.Fatalf("%v is no heartbeat", object)
	}
	at, err := time.Parse(time.RFC3339, ts)
	if err != nil {
		t.Fatal(err)
	}
	if off := time.Since(at); off < -time.Second || off > 5*time.Second {
		t.Errorf("the heartbeat's time is off by %v", off)
	}
	return at
}
