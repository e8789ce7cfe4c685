package handlers

import (
	"errors"
	"io"
	"time"

	"baton/handlers/frame"
	"baton/handlers/transport"
	"baton/middleware/metrics"
)

const (
	// maxPending is how many messages a connection may owe beyond those in
	// flight before its reading is paused.
	maxPending = 4096
	// maxQueued is how many bytes may wait for a peer that does not read: the
	// replies of a burst of 10,000 messages and more.
	maxQueued = 256 << 10
	// partingTime is how long a peer has to read the close frame and answer it;
	// readingTime is how long it has to take something of what it is owed before that.
	partingTime = 2 * time.Second
	readingTime = 5 * time.Second

	reasonDraining    = "server draining"
	reasonUnavailable = "session store unavailable"
)

// closeAfterReplies decides on a close; the frame goes out once nothing is owed.
// The first decision stands.
func (c *conn) closeAfterReplies(code uint16, reason string) {
	if c.phase != open {
		return
	}
	c.phase, c.code, c.reason = closing, code, reason
	c.requestCommit()
	c.settle()
}

// closeNow closes without what may still be owed: it will never be known to be
// stored, or the peer does not read.
func (c *conn) closeNow(code uint16, reason string) {
	if c.phase >= parting {
		return
	}
	c.phase, c.code, c.reason = closing, code, reason
	c.part()
}

// fault closes for something the peer did.
func (c *conn) fault(code uint16, reason string) {
	if c.phase != open {
		return
	}
	c.hub.metrics.Error(faultReason(code))
	c.hub.log.Warn("connection closed for a fault", append(c.attrs(), "code", int(code), "reason", reason)...)
	c.closeAfterReplies(code, reason)
}

// faultReason is the metric's name for a close code that is the peer's fault.
func faultReason(code uint16) string {
	switch code {
	case frame.CloseUnsupported:
		return metrics.ReasonBinary
	case frame.CloseInvalidData:
		return metrics.ReasonUTF8
	case frame.ClosePolicy:
		return metrics.ReasonRate
	case frame.CloseTooBig:
		return metrics.ReasonTooBig
	case frame.CloseIdle:
		return metrics.ReasonIdle
	case frame.CloseSlow:
		return metrics.ReasonSlow
	default:
		return metrics.ReasonProtocol
	}
}

// settle sends the close frame of a decided close as soon as nothing is owed.
func (c *conn) settle() {
	if c.phase == closing && c.pending == 0 && c.inFlight == 0 {
		c.part()
	}
}

// part sends the close frame and gives the peer time to answer. A peer that
// closed first waits for us to end the connection.
func (c *conn) part() {
	c.phase = parting
	c.postpone(partingTime)
	if c.paused { // its own close frame is still to be read
		c.paused = false
		c.socket.ResumeReading()
	}
	c.write(frame.AppendClose(nil, c.code, c.reason))
	if len(c.out) > 0 && c.code != frame.CloseSlow {
		c.postpone(readingTime)
	}
	c.endIfDone()
}

// postpone says when a parting connection is cut.
func (c *conn) postpone(d time.Duration) { c.partAt = c.hub.now() + int64(d) }

// endIfDone ends the connection once both sides have closed and all is sent. A
// peer that broke the protocol can't be understood any more: it is told that
// nothing will follow, and what it sends is taken until it ends, because bytes
// left unread would reset the connection before it has read the close frame.
func (c *conn) endIfDone() {
	if c.phase != parting || len(c.out) > 0 {
		return
	}
	if c.peerDone {
		c.end()
	} else if c.deaf {
		c.socket.CloseWrite()
	}
}

// end closes the socket and leaves. The session's life is counted from here.
func (c *conn) end() {
	if c.phase == ended {
		return
	}
	if c.phase == open || c.code == 0 {
		c.code = frame.CloseAbnormal
	}
	c.phase, c.out = ended, nil
	if !c.fenced && !c.busy {
		c.busy = c.shard.committer.Add(c)
	}
	c.hub.leave(c)
	c.socket.Close() // last: a peer that sees the end finds its place free
	c.concluded()
}

// Disconnected implements transport.Conn.
func (c *conn) Disconnected(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == closing && c.peerDone && errors.Is(err, io.EOF) {
		return // it closed and has nothing more to say, but may still listen
	}
	if c.phase == closing { // the peer left before it could be told
		c.code = frame.CloseAbnormal
	}
	c.end()
}

// send writes to an open connection. A peer that does not read is cut as soon
// as its queue is full: it never makes anybody wait.
func (c *conn) send(b []byte) {
	if c.phase >= parting {
		return
	}
	// An empty queue takes the replies of a whole commit: one read's messages at most.
	if len(c.out) > 0 && len(c.out)+len(b) > maxQueued {
		c.hub.metrics.Error(metrics.ReasonSlow)
		c.hub.log.Warn("slow reader", c.attrs()...)
		c.closeNow(frame.CloseSlow, "reading too slowly")
		return
	}
	c.write(b)
}

func (c *conn) write(b []byte) {
	if len(c.out) > 0 {
		c.out = append(c.out, b...)
		return
	}
	n, err := c.socket.Write(b)
	if err != nil {
		c.writeFailed(err)
		return
	}
	if n < len(b) {
		c.out = append(c.out, b[n:]...)
		c.socket.AwaitWritable()
	}
}

func (c *conn) writeFailed(err error) {
	if !errors.Is(err, transport.ErrClosed) && c.phase == closing {
		c.code = frame.CloseAbnormal
	}
	c.end()
}

// Writable implements transport.Conn.
func (c *conn) Writable() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == ended || len(c.out) == 0 {
		return
	}
	n, err := c.socket.Write(c.out)
	if err != nil {
		c.writeFailed(err)
		return
	}
	if n < len(c.out) {
		c.out = c.out[n:]
		c.postpone(readingTime) // it reads, if slowly
		c.socket.AwaitWritable()
		return
	}
	c.out = nil
	c.postpone(partingTime)
	c.endIfDone()
}
