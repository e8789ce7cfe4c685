// Package channel carries what handlers send to connections that are not their
// own: within this process, or through Redis to every process, of both colors.
//
// It is best effort, and at most once: what is sent while Redis is away, or to
// somebody who is between two connections, is not heard. What must not be lost
// is a session's count, and what a service stores itself.
package channel

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// Limits of a message.
const (
	MaxText = 64 << 10 // bytes
	MaxName = 64       // bytes of a group's name, or of a session's id
)

// Errors of sending.
var (
	ErrText = fmt.Errorf("a text is 1 to %d bytes of UTF-8", MaxText)
	ErrName = fmt.Errorf("a name is 1 to %d bytes", MaxName)
	ErrBusy = errors.New("the channel is busy: what waits for Redis has reached its limit")
)

// Kind is whom a message is for.
type Kind byte

// The kinds, as they are on the wire.
const (
	All     Kind = 'a'
	Group   Kind = 'g'
	Session Kind = 's'
)

// Message is a text on its way.
type Message struct {
	To   Kind
	Name string // of the group or session
	Text []byte
}

// Observer is told how sending goes.
type Observer interface {
	// Published: n messages ended with a result, one of those below.
	Published(result string, n int)
	// Heard: a message came.
	Heard()
	// Subscribed tells whether this process hears what others send.
	Subscribed(bool)
}

// How the sending of a message can end.
const (
	Sent    = "sent"
	Dropped = "dropped" // too much was waiting
	Failed  = "failed"  // Redis did not take it
)

// Channel is where handlers send. It never waits: a nil error says that a
// message is well-formed and on its way, no more.
type Channel struct{ publish func(Message) error }

// NewMemory reaches the connections of this process, through deliver.
func NewMemory(deliver func(Message), observer Observer) *Channel {
	observer.Subscribed(true)
	return &Channel{func(m Message) error {
		observer.Published(Sent, 1)
		observer.Heard()
		deliver(m)
		return nil
	}}
}

// ToAll sends to every connection.
func (c *Channel) ToAll(text []byte) error { return c.send(Message{To: All, Text: text}) }

// ToGroup sends to every connection that has joined a group.
func (c *Channel) ToGroup(group string, text []byte) error {
	if err := CheckName(group); err != nil {
		return err
	}
	return c.send(Message{Group, group, text})
}

// ToSession sends to a session's connection, wherever it is. While the session
// moves, the connection that it leaves may hear it too.
func (c *Channel) ToSession(id string, text []byte) error {
	if err := CheckName(id); err != nil {
		return err
	}
	return c.send(Message{Session, id, text})
}

func (c *Channel) send(m Message) error {
	if err := Check(m.Text); err != nil {
		return err
	}
	return c.publish(m)
}

// Check tells whether a text may be sent.
func Check(text []byte) error {
	if len(text) == 0 || len(text) > MaxText || !utf8.Valid(text) {
		return ErrText
	}
	return nil
}

// CheckName tells whether a group may be called so.
func CheckName(name string) error {
	if name == "" || len(name) > MaxName {
		return ErrName
	}
	return nil
}
