package handlers

import (
	"errors"

	"baton/handlers/channel"
	"baton/handlers/frame"
)

// maxGroups is how many groups a connection may be in.
const maxGroups = 32

// Errors of a Peer.
var (
	ErrGone          = errors.New("the connection has ended")
	ErrTooManyGroups = errors.New("a connection may be in 32 groups")
)

// Peer is one live connection of a session, as its handler sees it: the same
// pointer in every call. Its methods may be called from any goroutine, also
// after its end.
type Peer struct {
	conn   *conn
	groups []string // the directory's lock guards it
	gone   bool     // so it does this: it has left the directory
}

// SessionID is the session's. Whoever knows it can resume the session, unless
// ids are signed: don't show it to others.
func (p *Peer) SessionID() string { return p.conn.visitor.session.Session }

// Resumed tells whether the session was there before this connection.
func (p *Peer) Resumed() bool { return p.conn.visitor.session.Resumed }

// Remote is the client's address.
func (p *Peer) Remote() string { return p.conn.visitor.remote }

// Send sends a text to this connection alone, without any channel. nil says
// that it was written or queued; ErrGone that the connection has ended.
func (p *Peer) Send(text []byte) error {
	if err := channel.Check(text); err != nil {
		return err
	}
	encoded := frame.AppendText(nil, text)
	p.conn.mu.Lock()
	defer p.conn.mu.Unlock()
	if p.conn.phase != open {
		return ErrGone
	}
	p.conn.send(encoded)
	return nil
}

// Join puts the connection into a group, until it leaves or ends. The next
// connection of the session has to join again.
func (p *Peer) Join(group string) error {
	if err := channel.CheckName(group); err != nil {
		return err
	}
	return p.conn.hub.directory.join(group, p)
}

// Leave takes the connection out of a group.
func (p *Peer) Leave(group string) { p.conn.hub.directory.leave(group, p) }
