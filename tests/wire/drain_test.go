package wire

import (
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"baton/tests/harness"
)

func TestDrainTellsV1ClientsAndKeepsCounting(t *testing.T) {
	t.Parallel()
	const spread = 2 * time.Second
	s := harness.Start(t, harness.Env{"DRAIN_SPREAD": spread.String()})
	const clients = 8
	var peers []*harness.Peer
	for range clients {
		p := s.Dial(harness.Handshake{Sub: harness.V1})
		p.Hello()
		p.Silent()
		peers = append(peers, p)
	}
	start := time.Now()
	s.Terminate()
	byTime := map[time.Duration]*harness.Peer{}
	for _, p := range peers {
		byTime[checkReconnect(t, p, spread)] = p
	}
	if len(byTime) < clients/2 {
		t.Errorf("closes are not paced: %v", byTime)
	}
	for _, within := range slices.Sorted(maps.Keys(byTime)) {
		talkUntilMoved(t, byTime[within], start, within)
	}
	if code := s.Exit(t, waitFor); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(start); took > spread+2*time.Second {
		t.Errorf("drained in %v", took)
	}
}

func TestDrainRefusesNewcomersAndIsNotReady(t *testing.T) {
	t.Parallel()
	for name, sig := range map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redis := harness.StartRedis(t)
			s := harness.Start(t, harness.Env{"REDIS_URL": redis.URL(), "DRAIN_SPREAD": "200ms"})
			owed := s.Dial(harness.Handshake{})
			owed.Silent() // it has left the handshake behind
			redis.Pause() // a reply is owed, which keeps the drain from ending
			owed.Say("m")
			s.Signal(sig)
			body := s.WaitNotReady()
			harness.Eventually(t, waitFor, "readyz says draining", func() bool {
				body = s.Get("/readyz").Body
				return strings.Contains(body, `"draining":true`)
			})
			if answer := s.Get("/healthz"); answer.Status != 200 {
				t.Errorf("/healthz answers %d while draining", answer.Status)
			}
			answer := s.Refused(harness.Handshake{})
			if answer.Status != 503 || answer.ErrorCode(t) != "draining" || answer.RetryAfter() == 0 {
				t.Errorf("%d %v %s", answer.Status, answer.Header, answer.Body)
			}
			if got := s.Metrics().Value("websocket_draining"); got != 1 {
				t.Errorf("websocket_draining is %v", got)
			}
			redis.Resume()
			owed.Count(1)
			owed.Closed(1001)
			if code := s.Exit(t, waitFor); code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

func TestDrainPacesPlainClientsToo(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"DRAIN_SPREAD": "1s"})
	const clients = 10
	var peers []*harness.Peer
	for range clients {
		peers = append(peers, s.Dial(harness.Handshake{}))
	}
	for _, p := range peers {
		p.Silent()
	}
	start := time.Now()
	s.Terminate()
	ends := make(chan time.Duration, clients)
	for _, p := range peers {
		go func() {
			frame, err := p.Read(waitFor)
			if err != nil || frame.Code() != 1001 {
				t.Errorf("%v %v", frame, err)
			}
			ends <- time.Since(start)
			p.Close()
		}()
	}
	first, last := waitFor, time.Duration(0)
	for range clients {
		end := <-ends
		first, last = min(first, end), max(last, end)
	}
	if last-first < 400*time.Millisecond || last > 2*time.Second {
		t.Errorf("closes between %v and %v, want them over 1s", first, last)
	}
	if code := s.Exit(t, waitFor); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestDrainWithoutConnectionsIsQuick(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	start := time.Now()
	s.Terminate()
	if code := s.Exit(t, waitFor); code != 0 || time.Since(start) > 2*time.Second {
		t.Errorf("exit code %d after %v", code, time.Since(start))
	}
}

func TestDrainOfPeersThatNeverAnswerTheClose(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"DRAIN_SPREAD": "100ms", "DRAIN_TIMEOUT": "3s"})
	for range 5 {
		s.Dial(harness.Handshake{})
	}
	half := harness.Handshake{}.Bytes(s.Addr)
	dialRaw(t, s.Addr, half[:40]) // a handshake that never ends
	dialRaw(t, s.Addr, nil)
	start := time.Now()
	s.Terminate()
	if code := s.Exit(t, waitFor); code != 0 || time.Since(start) > 5*time.Second {
		t.Errorf("exit code %d after %v", code, time.Since(start))
	}
}

func TestDrainIsCutByItsTimeoutWithAWarning(t *testing.T) {
	t.Parallel()
	redis := harness.StartRedis(t)
	s := harness.Start(t, harness.Env{
		"REDIS_URL": redis.URL(), "DRAIN_TIMEOUT": "500ms", "DRAIN_SPREAD": "100ms", "COMMIT_TIMEOUT": "20s",
	})
	p := s.Dial(harness.Handshake{})
	p.Silent()
	redis.Pause()
	p.Say("m")
	p.Send(harness.Frame{Op: harness.OpPing})
	start := time.Now()
	s.Terminate()
	if code := s.Exit(t, 15*time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("a drain of 500ms took %v", took)
	}
	warned := false
	for _, line := range s.Logs(t) {
		warned = warned || strings.EqualFold(line.Text("level"), "warn")
	}
	if !warned {
		t.Error("no warning in the log")
	}
}

func TestSecondSignalStopsAtOnce(t *testing.T) {
	t.Parallel()
	for name, sigs := range map[string][2]syscall.Signal{
		"TERM TERM": {syscall.SIGTERM, syscall.SIGTERM}, "INT INT": {syscall.SIGINT, syscall.SIGINT},
		"TERM INT": {syscall.SIGTERM, syscall.SIGINT}, "INT TERM": {syscall.SIGINT, syscall.SIGTERM},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := harness.Start(t, harness.Env{"DRAIN_SPREAD": "8s"})
			for range 3 {
				s.Dial(harness.Handshake{Sub: harness.V1}).Hello()
			}
			s.Signal(sigs[0])
			s.WaitNotReady()
			start := time.Now()
			s.Signal(sigs[1])
			if code := s.Exit(t, waitFor); code != 1 || time.Since(start) > time.Second {
				t.Errorf("exit code %d after %v", code, time.Since(start))
			}
		})
	}
}

func checkReconnect(t *testing.T, p *harness.Peer, spread time.Duration) time.Duration {
	t.Helper()
	object := p.Object()
	ms, ok := object["within_ms"].(float64)
	if object["type"] != "reconnect" || !ok || len(object) != 2 || ms < 0 || ms > float64(spread.Milliseconds()) {
		t.Fatalf("%v is no reconnect message with at most %v", object, spread)
	}
	return time.Duration(ms) * time.Millisecond
}

// talkUntilMoved counts one message after the other until the connection is closed, at the time that was told.
func talkUntilMoved(t *testing.T, p *harness.Peer, start time.Time, within time.Duration) {
	t.Helper()
	left := within - time.Since(start)
	for replies := 1; p.TrySend(harness.Text("m")) == nil; replies++ {
		frame := p.Next()
		if frame.Op == harness.OpClose {
			checkMoved(t, frame, time.Since(start), within)
			if left > 100*time.Millisecond && replies == 1 {
				t.Errorf("nothing was counted in %v", left)
			}
			break
		}
		if counts(t, []harness.Frame{frame}, replies) != 1 {
			t.Fatalf("%v is no reply", frame)
		}
	}
	p.Ended()
}

func checkMoved(t *testing.T, frame harness.Frame, after, within time.Duration) {
	t.Helper()
	const late = time.Second
	if frame.Code() != 1001 || frame.Reason() != "server draining" {
		t.Errorf("closed %v", frame)
	}
	if after < within-50*time.Millisecond || after > within+late {
		t.Errorf("closed after %v, was told %v", after, within)
	}
}
