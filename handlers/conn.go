package handlers

import (
	"errors"
	"sync"

	"baton/handlers/frame"
	"baton/handlers/transport"
	"baton/middleware/metrics"
	"baton/middleware/session"
)

// phase is where a connection stands in its life.
type phase uint8

const (
	open    phase = iota
	closing       // a close is decided; owed replies go first
	parting       // the close frame is sent; waiting for the peer to end
	ended
)

// conn is one live connection. Everything below mu is its state, a few words, so
// that an idle one costs next to nothing. A message's way:
//
//	Readable → receive → Gather, RoundEnd → Commit → (Redis) → Committed → reply
type conn struct {
	hub       *Hub
	socket    transport.Socket
	shard     *shard
	place     int // in the shard's list; the shard's lock guards it
	visitor   *visitor
	resumable bool // speaks baton.v1

	mu        sync.Mutex
	phase     phase
	busy      bool // in the committer's hands
	fenced    bool
	paused    bool // reading waits for Redis
	pinged    bool
	peerDone  bool   // the peer has sent its close frame
	deaf      bool   // nothing the peer sends is parsed any more
	code      uint16 // the close code
	reason    string
	count     uint64 // stored and acknowledged
	inFlight  uint32 // messages in the commit on its way
	pending   uint32 // messages for the next commit
	flightAge int64  // when the first message in flight was read
	since     int64  // when the first pending message was read
	heard     int64  // when the peer was last heard
	renewed   int64  // when the session's time to live last began anew
	rate      rate
	partAt    int64  // when a parting connection is cut
	out       []byte // what the socket has not taken yet
	parser    frame.Parser
	inbox     *inbox // nil: the handler is told of nothing
}

func newConn(hub *Hub, socket transport.Socket, v *visitor, resumable bool) *conn {
	return &conn{hub: hub, socket: socket, visitor: v, resumable: resumable, count: v.session.Count, heard: hub.now(), renewed: hub.now()}
}

// Opened implements transport.Conn.
func (c *conn) Opened() {
	c.mu.Lock() // before anybody finds it: nothing may be sent before the session message
	defer c.mu.Unlock()
	c.hub.join(c)
	if c.resumable {
		c.send(c.hub.sessionMessage(c))
	}
	c.listen()
	if c.hub.Draining() {
		c.closeAfterReplies(frame.CloseGoingAway, reasonDraining)
	}
}

// Readable implements transport.Conn: the frames that one read brought make one
// commit, which goes with those of the same round.
func (c *conn) Readable(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.receiveAll(b)
	if c.wantsCommit() {
		c.queued(c.shard.committer.Gather(c))
	}
}

func (c *conn) receiveAll(b []byte) {
	now := c.hub.now()
	c.heard, c.pinged = now, false
	for !c.deaf && c.phase != ended {
		var event frame.Event
		event, b = c.parser.Next(b, c.hub.config.MaxMessageBytes)
		if event.Kind == frame.NeedMore {
			break
		}
		c.receive(event, now)
	}
	c.pauseIfBehind()
}

func (c *conn) receive(event frame.Event, now int64) {
	switch event.Kind {
	case frame.Part:
		c.gather(event.Payload)
	case frame.Message:
		c.receiveMessage(event.Payload, now)
	case frame.Ping:
		if c.phase < parting {
			c.send(frame.AppendPong(nil, event.Payload))
		}
	case frame.Close:
		c.peerDone, c.deaf = true, true
		if c.phase == parting {
			c.end()
			return
		}
		c.closeAfterReplies(event.Code, "")
	case frame.Violation:
		c.deaf = true
		c.fault(event.Code, event.Reason)
	case frame.Pong, frame.NeedMore:
	}
}

func (c *conn) receiveMessage(last []byte, now int64) {
	if c.phase != open {
		return // after the close was decided nothing is counted
	}
	if !c.rate.allow(now, c.hub.config.MessageRate) {
		c.fault(frame.ClosePolicy, "too many messages a second")
		return
	}
	if c.pending == 0 {
		c.since = now
	}
	c.pending++
	if c.hub.receiver != nil {
		c.inbox.received(last)
	}
}

// requestCommit queues the connection, unless a commit is on its way: then what
// is pending goes with the next one.
func (c *conn) requestCommit() {
	if c.wantsCommit() {
		c.queue()
	}
}

func (c *conn) wantsCommit() bool { return c.pending > 0 && !c.busy && !c.fenced }

func (c *conn) queue() { c.queued(c.shard.committer.Add(c)) }

// queued gives up on what is pending when the committer refused it: the process is ending.
func (c *conn) queued(ok bool) {
	c.busy = ok
	if !ok {
		c.pending = 0
		c.inbox.forget()
		c.closeNow(frame.CloseTryAgain, reasonUnavailable)
	}
}

// Commit implements session.Entry.
func (c *conn) Commit() (session.Commit, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fenced {
		c.busy = false
		c.concluded()
		return session.Commit{}, false
	}
	if c.pending == 0 { // a refresh of the session's life
		c.since = c.hub.now()
	}
	fresh := c.pending > 0 && c.since < c.renewed+int64(c.hub.grain)
	if !fresh {
		c.renewed = c.since
	}
	c.inFlight, c.flightAge, c.pending = c.pending, c.since, 0
	return session.Commit{
		Owner:    c.visitor.session.Owner,
		Count:    c.count + uint64(c.inFlight),
		Live:     c.phase != ended,
		Fresh:    fresh,
		Deadline: c.hub.deadline(c.since),
	}, true
}

// Committed implements session.Entry: the replies leave only here.
func (c *conn) Committed(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = false
	messages := c.inFlight
	c.inFlight = 0
	switch {
	case err == nil:
		c.reply(messages)
	case errors.Is(err, session.ErrFenced):
		c.fence()
	case messages > 0:
		c.unavailable(err)
	}
	c.requestCommit()
	c.resumeIfCaughtUp()
	c.settle()
	c.concluded()
}

// reply acknowledges the messages that were just stored.
func (c *conn) reply(messages uint32) {
	first := c.count + 1
	c.count += uint64(messages)
	c.counted(first, messages)
	if messages == 0 || c.phase >= parting {
		return
	}
	buffer := c.hub.borrow()
	for n := first; n <= c.count; n++ {
		*buffer = appendReply(*buffer, c.hub.handler, n)
	}
	c.send(*buffer)
	c.hub.giveBack(buffer)
	if c.phase < parting { // else its queue was full: nobody will read them
		c.hub.metrics.Answered(int(messages), c.hub.since(c.flightAge))
	}
}

// pauseIfBehind stops reading while Redis, or the handler, is slow: the peer's
// window is the queue then.
func (c *conn) pauseIfBehind() {
	if (c.busy && c.pending >= maxPending || c.inbox.full()) && !c.paused {
		c.paused = true
		c.socket.PauseReading()
	}
}

func (c *conn) resumeIfCaughtUp() {
	if c.paused && c.pending < maxPending && !c.inbox.full() {
		c.paused = false
		c.heard = c.hub.now()
		c.socket.ResumeReading()
	}
}

// fence ends a connection whose session lives elsewhere now.
func (c *conn) fence() {
	c.fenced = true
	c.pending = 0
	c.inbox.forget()
	if c.phase < parting {
		c.hub.metrics.Fenced.Inc()
		c.hub.log.Info("session resumed elsewhere", c.attrs()...)
	}
	c.closeNow(frame.CloseElsewhere, "session resumed elsewhere")
}

// unavailable gives up on messages that Redis did not take in time.
func (c *conn) unavailable(err error) {
	c.pending = 0
	c.inbox.forget()
	if c.phase < parting {
		c.hub.metrics.Error(metrics.ReasonCommitTimeout)
		c.hub.log.Error("commit failed", append(c.attrs(), "error", err.Error())...)
	}
	c.closeNow(frame.CloseTryAgain, reasonUnavailable)
}
