package wire

import (
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/tests/harness"
)

func TestMessageRateIsClosed1008(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"MESSAGE_RATE": "10"})
	p := s.Dial(harness.Handshake{})
	p.Say(harness.Repeat("m", 200)...)
	answered := counts(t, p.ClosedEventually(1008), 1)
	if answered < 10 || answered > 30 {
		t.Errorf("%d messages of 200 were answered, want about 10", answered)
	}
	if got := stored(t, s, p.Session); got != answered {
		t.Errorf("count is %d, %d were answered", got, answered)
	}
	if got := s.Metrics().Value("websocket_errors_total", "reason", "message_rate"); got != 1 {
		t.Errorf("message_rate errors: %v", got)
	}
}

func TestMessageRateLeavesTheModerateAlone(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"MESSAGE_RATE": "20"})
	p := s.Dial(harness.Handshake{})
	tick := time.NewTicker(time.Second / 15)
	defer tick.Stop()
	for n := 1; n <= 30; n++ {
		<-tick.C
		p.Say("m")
		p.Count(n)
	}
}

func TestMessageRateIsPerConnection(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"MESSAGE_RATE": "5"})
	for range 4 {
		p := s.Dial(harness.Handshake{})
		p.Say(harness.Repeat("m", 5)...)
		p.Count(1, 5)
	}
}

func TestMaxMessageBytes(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"MAX_MESSAGE_BYTES": "10"})
	p := s.Dial(harness.Handshake{})
	p.Say("0123456789")
	p.Count(1)
	p.Send(harness.Frame{Op: harness.OpText, NotFin: true, Payload: []byte("01234")}, harness.Frame{Payload: []byte("56789")})
	p.Count(2)
	p.Send(harness.Frame{Op: harness.OpPing, Payload: []byte(strings.Repeat("p", 125))}) // no message
	if frame := p.Next(); frame.Op != harness.OpPong || len(frame.Payload) != 125 {
		t.Errorf("got %v, want a pong", frame)
	}
	p.Say("0123456789a")
	p.Closed(1009)

	large := harness.Start(t, harness.Env{"MAX_MESSAGE_BYTES": "2000000"}).Dial(harness.Handshake{})
	large.Say(strings.Repeat("m", 2000000))
	large.Count(1)
}

func TestIdlePeerIsClosed4000(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"IDLE_TIMEOUT": "600ms"})
	silent := s.Dial(harness.Handshake{})
	start := time.Now()
	pings := 0
	for _, frame := range silent.ClosedEventually(4000) {
		if frame.Op == harness.OpPing {
			pings++
		}
	}
	if took := time.Since(start); took < 500*time.Millisecond || took > 3*time.Second {
		t.Errorf("closed after %v", took)
	}
	if pings == 0 {
		t.Error("the peer was never pinged")
	}
	s.WaitMetric(1, "websocket_errors_total", "reason", "idle_timeout")
}

func TestPeerThatIsHeardIsNotIdle(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"IDLE_TIMEOUT": "500ms"})
	for name, life := range map[string]func(p *harness.Peer, ping harness.Frame) harness.Frame{
		"answers pings": func(_ *harness.Peer, ping harness.Frame) harness.Frame {
			return harness.Frame{Op: harness.OpPong, Payload: ping.Payload}
		},
		"talks":       func(*harness.Peer, harness.Frame) harness.Frame { return harness.Text("m") },
		"pings":       func(*harness.Peer, harness.Frame) harness.Frame { return harness.Frame{Op: harness.OpPing} },
		"wrong pongs": func(*harness.Peer, harness.Frame) harness.Frame { return harness.Frame{Op: harness.OpPong} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := harness.Dial(t, s.Addr, harness.Handshake{})
			for end := time.Now().Add(2500 * time.Millisecond); time.Now().Before(end); {
				frame, err := p.Read(200 * time.Millisecond)
				if err != nil && !isTimeout(err) || frame.Op == harness.OpClose {
					t.Fatalf("%v %v", frame, err)
				}
				if err != nil || frame.Op == harness.OpPing {
					p.Send(life(p, frame))
				}
			}
		})
	}
}

func TestPeerThatAnswersPingsIsNotIdleHoweverLongRedisIsAway(t *testing.T) {
	t.Parallel()
	redis := harness.StartRedis(t)
	s := harness.Start(t, harness.Env{"REDIS_URL": redis.URL(), "IDLE_TIMEOUT": "600ms", "HEARTBEAT_INTERVAL": "200ms"})
	p := s.Dial(harness.Handshake{})
	p.Say("m")
	p.Count(1)
	redis.Pause()
	answerPingsFor(t, p, 6) // the look at the owner waits for Redis all the time
	redis.Resume()
	answerPingsFor(t, p, 6)
}

// answerPingsFor does nothing but answer pings until n heartbeats have come.
func answerPingsFor(t *testing.T, p *harness.Peer, n int) {
	t.Helper()
	for n > 0 {
		switch frame := p.Next(); frame.Op {
		case harness.OpPing:
			p.Send(harness.Frame{Op: harness.OpPong, Payload: frame.Payload})
		case harness.OpText:
			n--
		default:
			t.Fatalf("got %v, want pings and heartbeats", frame)
		}
	}
}

func TestSilentPeerIsClosed4000WhileRedisIsAway(t *testing.T) {
	t.Parallel()
	redis := harness.StartRedis(t)
	s := harness.Start(t, harness.Env{"REDIS_URL": redis.URL(), "IDLE_TIMEOUT": "600ms", "HEARTBEAT_INTERVAL": "200ms"})
	silent := s.Dial(harness.Handshake{})
	redis.Pause()
	silent.ClosedEventually(4000)
}

func TestPeerThatReadsNothingIsClosed4002AndDelaysNobody(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	slow, quick := s.Dial(harness.Handshake{Session: sessionA}), s.Dial(harness.Handshake{})
	flood := make(chan error, 1)
	go func() { flood <- floodUntilCut(slow) }()
	var took []time.Duration
	for n := 1; ; n++ {
		start := time.Now()
		quick.Say("m")
		quick.Count(n)
		took = append(took, time.Since(start))
		select {
		case <-flood:
			slices.Sort(took)
			if worst := took[len(took)-1]; worst > time.Second {
				t.Errorf("another connection waited %v", worst)
			}
			t.Logf("%d round trips beside the flood, median %v, worst %v", len(took), took[len(took)/2], took[len(took)-1])
			checkCutAsSlow(t, s, slow)
			return
		default:
		}
	}
}

// floodUntilCut sends and never reads, until the server has hung up.
func floodUntilCut(p *harness.Peer) error {
	var wire []byte
	for range 1000 {
		wire = harness.Text("").Encode(wire)
	}
	_ = p.SetWriteDeadline(time.Now().Add(60 * time.Second))
	for {
		if _, err := p.Write(wire); err != nil {
			return err
		}
	}
}

// checkCutAsSlow reads what was on its way: replies in order. What the client can't have seen may be counted, never less.
func checkCutAsSlow(t *testing.T, s *harness.Server, slow *harness.Peer) {
	t.Helper()
	s.WaitMetric(1, "websocket_closes_total", "code", "4002")
	s.WaitMetric(1, "websocket_errors_total", "reason", "slow_reader")
	var read []harness.Frame
	for {
		frame, err := slow.Read(waitFor)
		if err != nil || frame.Op == harness.OpClose {
			break
		}
		read = append(read, frame)
	}
	if seen, counted := counts(t, read, 1), stored(t, s, sessionA); seen > counted {
		t.Errorf("%d replies were sent, Redis holds %d", seen, counted)
	}
}

func TestPingFloodOfAPeerThatReadsNothing(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	p := s.Dial(harness.Handshake{})
	before := s.RSS(t)
	var wire []byte
	for range 1000 {
		wire = harness.Frame{Op: harness.OpPing, Payload: []byte(strings.Repeat("p", 125))}.Encode(wire)
	}
	_ = p.SetWriteDeadline(time.Now().Add(5 * time.Second))
	for range 1000 {
		if _, err := p.Write(wire); err != nil {
			break // cut, or held back: both are well
		}
	}
	if grown := s.RSS(t) - before; grown > 32<<20 {
		t.Errorf("a peer that pings and reads nothing cost %d MB", grown>>20)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
