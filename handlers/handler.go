package handlers

import "strconv"

// Handler is the logic of a service: what its sessions answer. Around it every
// message is counted, stored, acknowledged once and resumed, whatever it does.
// A Handler that wants the messages is a Receiver besides, and one that wants
// to know who comes and goes is an Opener, or a Closer.
type Handler interface {
	// AppendReply appends the text that answers message n of a session; nothing:
	// no answer. The count is stored by then. It is called for every message with
	// the connection locked: it must not block, and costs what it allocates.
	AppendReply(dst []byte, n uint64) []byte
}

// Receiver is told of messages. The calls for one connection, Opener's and
// Closer's too, come one after the other, in order, from a goroutine that lives
// as long as there is something to tell: they may block, and then only their own
// connection waits. A panic is logged and the next call made.
type Receiver interface {
	Handler
	// Received gets a message after its count was stored, and was answered:
	// once at most. What is not counted is never received.
	Received(p *Peer, m Message)
}

// Opener is told of connections.
type Opener interface {
	Handler
	// Opened comes before any message of the connection.
	Opened(p *Peer)
}

// Closer is told of their end.
type Closer interface {
	Handler
	// Closed comes after the last message, whatever ended the connection.
	Closed(p *Peer)
}

// Message is one counted message.
type Message struct {
	N    uint64 // its number in the session
	Text []byte // the receiver's own
}

// Counting answers each message with the session's count, and does no more. It
// is what clients of baton.v1 take for the acknowledgement: embed it.
type Counting struct{}

// AppendReply implements Handler.
func (Counting) AppendReply(dst []byte, n uint64) []byte {
	dst = append(dst, `{"count":`...)
	dst = strconv.AppendUint(dst, n, 10)
	return append(dst, '}')
}
