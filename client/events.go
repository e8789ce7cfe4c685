package client

import "time"

// Events are told in order and one at a time, from the client's goroutines:
// they must not block, and must not call Flush or Close. Send and TrySend are
// allowed (with a full queue Send would block). Nil ones are skipped.
type Events struct {
	// Session: a connection is ready. The first one comes before Dial returns.
	Session func(Session)
	// Ack: a message is counted. Every message has exactly one, in order,
	// but for those that Reset or Foreign speak of.
	Ack func(Ack)
	// Reconnect: the server asked to move within this time.
	Reconnect func(within time.Duration)
	// Lost: the connection ended before there was another; messages wait.
	Lost func(cause error)
	// Gap: a connection took the place of another.
	Gap func(Gap)
	// Retry: an attempt to connect failed, the next one starts after wait.
	Retry func(err error, wait time.Duration)
	// Reset: the server knows less than it acknowledged.
	Reset func(Reset)
	// Foreign: the server counted more than this client sent.
	Foreign func(Foreign)
	// Heartbeat: the server's clock, as it wrote it.
	Heartbeat func(ts string)
	// Message: a text of a type that is not Baton's, as the server's handler
	// sent it; it is the callee's own. Best effort: it may come twice or not at all
	// around a move to another connection.
	Message func(text []byte)
	// Closed: the end, with the reason that Err gives too.
	Closed func(err error)
}

// Session is what the server says of itself when a connection is ready.
type Session struct {
	ID       string
	Count    uint64 // messages of the session that are counted
	Resumed  bool   // the server knew the session
	Color    string
	Instance string
	Attempt  uint64
}

// Ack says that one message is counted and stored.
type Ack struct {
	Seq     uint64        // what Send returned
	Count   uint64        // its number in the session
	Latency time.Duration // since Send
}

// Gap is the way from one connection to the next.
type Gap struct {
	// Duration is how long no connection could take a message: 0 if the new
	// one was ready before the old one ended (a handover).
	Duration time.Duration
	Handover bool
	Resent   int // messages written once more
	// Cause ended the old connection; nil for a handover.
	Cause error
}

// Reset says that a server lost what it had acknowledged, up to Acknowledged
// of which it knows Count. Messages are numbered on from Count.
type Reset struct{ Acknowledged, Count uint64 }

// Foreign says that the server counted up to Count where at most Sent can be
// this client's: somebody else writes in this session, or something was
// counted twice. What was written is taken for counted, and messages are
// numbered on from Count.
type Foreign struct{ Sent, Count uint64 }

// Trace shows every step, for checkers and diagnosis. The rules of Events hold.
type Trace struct {
	// Attempt: a handshake starts.
	Attempt func(attempt uint64)
	// Open: a connection is ready, with the count of its session message.
	// From here on messages go to it.
	Open func(attempt, count uint64)
	// Frame: a frame arrived on the connection in use; data is valid until
	// the function returns.
	Frame func(attempt uint64, data []byte)
}

func tell[T any](f func(T), value T) {
	if f != nil {
		f(value)
	}
}
