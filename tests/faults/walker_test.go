package faults

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
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

// walker is a client written from the contract alone. It sends until it is stopped, through every fault, and keeps its history.
type walker struct {
	addr    string
	session string
	v1      bool
	stop    *atomic.Bool
	total   *atomic.Int64 // acknowledged by all walkers

	history history
	sent    int // the number of the last message
	acked   int
	failure error
	stale   *harness.Peer // given up with messages on the way, and still open: what a black hole leaves behind
}

// walk runs until it is stopped; a client of baton.v1 stops only when everything it sent is acknowledged.
func (w *walker) walk() {
	for w.failure == nil && (!w.stop.Load() || w.v1 && w.acked < w.sent) {
		peer := w.connect()
		if peer == nil {
			time.Sleep(rand.N(backoff)) // full jitter
			continue
		}
		w.converse(peer)
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
		h.Sub, h.Attempt = harness.V1, strconv.FormatInt(time.Now().UnixMicro(), 10)
	}
	peer, answer, err := h.Open(w.addr)
	if err != nil || peer == nil {
		if answer.Status != 0 && answer.Status != 503 && answer.Status != 429 {
			w.failure = fmt.Errorf("refused: %d %s", answer.Status, answer.Body)
		}
		return nil
	}
	return peer
}

// converse sends bursts and reads their replies until the connection ends or the walk does.
func (w *walker) converse(peer *harness.Peer) {
	if !w.v1 {
		w.history = append(w.history, event{opened, unknown})
	} else if !w.resume(peer) {
		return
	}
	for !w.stop.Load() {
		burst := 1 + rand.IntN(window)
		if w.v1 && w.stale == nil && rand.IntN(abandons) == 0 {
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
		w.failure = fmt.Errorf("first message: %v", frame)
		return false
	}
	w.history = append(w.history, event{opened, hello.Count})
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
			w.failure = fmt.Errorf("not fenced: the older connection was told count %d, the newer took up at %d", reply.Count, taken)
			return
		}
	}
}

func (w *walker) say(peer *harness.Peer, first, last int) bool {
	var frames []harness.Frame
	for n := first; n <= last; n++ {
		frames = append(frames, harness.Text("message "+strconv.Itoa(n)))
		w.history = append(w.history, event{sent, n})
	}
	w.sent = max(w.sent, last)
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
			w.failure = fmt.Errorf("reply %v: %w", frame, err)
			return false
		}
		if reply.Type != "" {
			continue // heartbeat, reconnect
		}
		w.history = append(w.history, event{replied, reply.Count})
		w.acked = reply.Count
		w.total.Add(1)
		replies--
	}
	return true
}

// closed notes a close that no fault explains.
func (w *walker) closed(frame harness.Frame) bool {
	switch frame.Code() {
	case 1001, 1013:
	case 4001: // its own newer claim may have been given up after it was taken
	default:
		w.failure = fmt.Errorf("closed: %v", frame)
	}
	return false
}

// countOf is a reply without its spaces.
func countOf(n int) string { return `{"count":` + strconv.Itoa(n) + `}` }
