package baton

import (
	"baton/handlers"
	"baton/handlers/channel"
)

// What a main needs to bring a handler of its own; docs/handlers.md says how.
type (
	// Handler is the logic of a service.
	Handler = handlers.Handler
	// Receiver is a Handler that wants the messages themselves.
	Receiver = handlers.Receiver
	// Opener is a Handler that wants to know who comes.
	Opener = handlers.Opener
	// Closer is a Handler that wants to know who goes.
	Closer = handlers.Closer
	// Counting is the handler of a service that counts and does nothing more.
	Counting = handlers.Counting
	// Message is one counted message.
	Message = handlers.Message
	// Peer is one live connection of a session.
	Peer = handlers.Peer
	// Channel sends to other connections, wherever they are.
	Channel = channel.Channel
)

// NewHandler makes the process's handler, once, before the first connection.
type NewHandler func(*Channel) Handler

// Counts makes a Counting.
func Counts(*Channel) Handler { return Counting{} }
