package faults

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"baton/tests/harness"
)

const (
	window     = 8                      // messages in flight
	pace       = 20 * time.Millisecond  // between two bursts
	backoff    = 100 * time.Millisecond // at most, between two attempts to connect
	replyLimit = 12 * time.Second       // longer than COMMIT_TIMEOUT: silence for so long is a broken connection
	abandons   = 30                     // one burst of so many is the last that a connection is listened to
)

// walker is a client written from the contract alone. It sends until it is stopped, through every fault, and every step is checked.
type walker struct {
	crowd   *crowd
	session string
	v1      bool

	checker *checker
	attempt int64
	sent    int // the number of the last message
	acked   int
	stale   *harness.Peer // given up with messages on the way, and still open: what a black hole leaves behind
	heard   time.Time     // when the last reply came
	replies atomic.Int64
	calm    atomic.Bool // connected, nothing given up, and it stays so while the crowd is steady
	broken  bool        // it saw what no fault explains
}

// walk runs until it is stopped; a client of baton.v1 stops only when everything it sent is acknowledged.
func (w *walker) walk() {
	w.heard = time.Now()
	for !w.broken && (!w.crowd.stop.Load() || w.v1 && w.acked < w.sent && !w.crowd.abandon.Load()) {
		peer := w.connect()
		if peer == nil {
			time.Sleep(rand.N(backoff)) // full jitter
			continue
		}
		w.converse(peer)
		w.calm.Store(false)
		if w.stale != peer {
			peer.Close()
		}
	}
	if w.stale != nil {
		w.stale.Close()
	}
}

func (w *walker) connect() *harness.Peer {
	h := harness.Handshake{Session: w.session}
	if w.v1 {
		h.Sub, h.Attempt = harness.V1, strconv.FormatInt(w.nextAttempt(), 10)
	}
	peer, answer, err := h.Open(w.crowd.addr)
	if err != nil || peer == nil {
		if !passing(answer) {
			w.blame(fmt.Sprintf("refused: %d %s", answer.Status, answer.Body))
		}
		return nil
	}
	return peer
}

// passing tells whether an answer that is no connection may be another one soon: no answer at all, a front door that
// has no server or, just started, no route yet, or a server that says so.
func passing(answer harness.Answer) bool {
	switch answer.Status {
	case 0, 502, 503, 504:
		return true
	default:
		return answer.Status == 404 && !strings.HasPrefix(answer.Body, "{")
	}
}

// nextAttempt is the client's clock, but always higher than the last one: clocks step.
func (w *walker) nextAttempt() int64 {
	w.attempt = max(w.attempt+1, time.Now().UnixMicro()+w.crowd.skew.Load())
	return w.attempt
}

// note checks an event.
func (w *walker) note(kind kind, n int) {
	for _, complaint := range w.checker.take(event{kind, n}) {
		w.crowd.ledger.blame(w.session, complaint)
	}
}

// blame notes what breaks the contract so that there is no going on.
func (w *walker) blame(complaint string) {
	w.broken = true
	w.crowd.ledger.blame(w.session, complaint)
}

// converse sends bursts and reads their replies until the connection ends or the walk does.
func (w *walker) converse(peer *harness.Peer) {
	if !w.v1 {
		w.note(opened, unknown)
	} else if !w.resume(peer) {
		return
	}
	for !w.crowd.stop.Load() {
		burst := 1 + rand.IntN(window)
		steady := w.crowd.steady.Load()
		w.calm.Store(steady && w.stale == nil)
		if w.v1 && w.stale == nil && !steady && rand.IntN(abandons) == 0 {
			w.say(peer, w.sent+1, w.sent+burst)
			w.stale = peer
			return
		}
		if !w.say(peer, w.sent+1, w.sent+burst) || !w.hear(peer, burst) {
			return
		}
		time.Sleep(rand.N(pace))
	}
}

// resume drops what the session message says is counted and sends the rest again.
func (w *walker) resume(peer *harness.Peer) bool {
	frame, err := peer.Read(replyLimit)
	if err != nil {
		return false
	}
	var hello struct {
		Type  string
		Count int
	}
	if frame.Op == harness.OpClose {
		return w.closed(frame)
	}
	if err := json.Unmarshal(frame.Payload, &hello); err != nil || hello.Type != "session" {
		w.blame(fmt.Sprintf("no session message: %v", frame))
		return false
	}
	w.note(opened, hello.Count)
	if w.broken = hello.Count < w.checker.first; w.broken {
		return false // blamed; to send a million messages again would not help
	}
	w.acked = hello.Count
	w.leaveStale(hello.Count)
	return w.say(peer, w.acked+1, w.sent) && w.hear(peer, w.sent-w.acked)
}

// leaveStale listens to the connection that was given up, once its session has moved: what was counted before that it may
// still be told, nothing later.
func (w *walker) leaveStale(taken int) {
	if w.stale == nil {
		return
	}
	defer func() {
		w.stale.Close()
		w.stale = nil
	}()
	for w.stale.TrySend(harness.Text("too late")) == nil {
		frame, err := w.stale.Read(replyLimit)
		if err != nil || frame.Op == harness.OpClose {
			return
		}
		var reply struct{ Count int }
		if err := json.Unmarshal(frame.Payload, &reply); err == nil && reply.Count > taken {
			w.blame(fmt.Sprintf("duplicated: not fenced: the older connection was told count %d, the newer took up at %d", reply.Count, taken))
			return
		}
	}
}

func (w *walker) say(peer *harness.Peer, first, last int) bool {
	var frames []harness.Frame
	for n := first; n <= last; n++ {
		frames = append(frames, harness.Text("message "+strconv.Itoa(n)))
		w.note(sent, n)
	}
	if last > w.sent {
		w.crowd.ledger.now.Load().sent.Add(int64(last - w.sent))
		w.sent = last
	}
	return peer.TrySend(frames...) == nil
}

func (w *walker) hear(peer *harness.Peer, replies int) bool {
	for replies > 0 {
		frame, err := peer.Read(replyLimit)
		if err != nil {
			return false
		}
		if frame.Op == harness.OpClose {
			return w.closed(frame)
		}
		var reply struct {
			Type  string
			Count int
		}
		if err := json.Unmarshal(frame.Payload, &reply); err != nil {
			w.blame(fmt.Sprintf("no reply: %v: %v", frame, err))
			return false
		}
		if reply.Type != "" {
			continue // heartbeat, reconnect
		}
		w.reply(reply.Count)
		replies--
	}
	return true
}

func (w *walker) reply(count int) {
	w.note(replied, count)
	w.acked = count
	w.replies.Add(1)
	w.crowd.ledger.acked.Add(1)
	row := w.crowd.ledger.now.Load()
	row.acked.Add(1)
	row.gap(time.Since(w.heard))
	w.heard = time.Now()
}

// closed notes a close that no fault explains.
func (w *walker) closed(frame harness.Frame) bool {
	switch frame.Code() {
	case 1001:
		w.note(drained, 0)
	case 1013:
	case 4001: // its own newer claim may have been given up after it was taken
	default:
		w.blame(fmt.Sprintf("closed: %v", frame))
	}
	return false
}

// countOf is a reply without its spaces.
func countOf(n int) string { return `{"count":` + strconv.Itoa(n) + `}` }
