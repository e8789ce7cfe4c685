package handlers

// maxInbox is how many bytes of messages a connection may have waiting for their
// commit and for the handler before its reading is paused; callOverhead is what
// an empty one counts for.
const (
	maxInbox     = 256 << 10
	callOverhead = 64
)

// inbox is what a connection has for its handler: texts until they are counted,
// then the calls to make. nil: the handler wants to be told of nothing. The
// connection's lock guards it.
type inbox struct {
	peer    Peer
	partial []byte   // a message that is not whole yet
	waiting [][]byte // received and not counted, in order
	calls   []call
	size    int  // of all that is waiting or being told
	telling bool // a goroutine makes the calls
	closed  bool // Closed is among the calls, or was made
}

// call is one call of the handler.
type call struct {
	method func(*Hub, *Peer, Message)
	Message
}

func (i *inbox) full() bool { return i != nil && i.size >= maxInbox }

// received copies a message out of the read buffer.
func (i *inbox) received(last []byte) {
	text := append(i.partial, last...)
	i.partial = nil
	i.waiting = append(i.waiting, text)
	i.size += len(text) + callOverhead
}

// forget drops what will not be counted.
func (i *inbox) forget() {
	if i == nil {
		return
	}
	for _, text := range i.waiting {
		i.size -= len(text) + callOverhead
	}
	i.waiting = nil
}

// listen gives the connection an inbox, if the handler wants to be told, and
// makes the first call.
func (c *conn) listen() {
	if c.hub.receiver == nil && c.hub.opener == nil && c.hub.closer == nil {
		return
	}
	c.inbox = &inbox{peer: Peer{conn: c}}
	c.parser.Parts = c.hub.receiver != nil
	c.hub.directory.enter(&c.inbox.peer)
	c.inbox.calls = append(c.inbox.calls, call{method: (*Hub).opened})
	c.tell()
}

// gather keeps a piece of a message; the parser has judged its length.
func (c *conn) gather(piece []byte) {
	if c.phase == open {
		c.inbox.partial = append(c.inbox.partial, piece...)
	}
}

// counted turns the oldest messages into calls, the first of them being the
// session's nth.
func (c *conn) counted(n uint64, messages uint32) {
	if c.hub.receiver == nil || messages == 0 {
		return
	}
	for _, text := range c.inbox.waiting[:messages] {
		c.inbox.calls = append(c.inbox.calls, call{(*Hub).received, Message{N: n, Text: text}})
		n++
	}
	clear(c.inbox.waiting[:messages])
	c.inbox.waiting = c.inbox.waiting[messages:]
	c.tell()
}

// concluded makes the last call, once the connection has ended and nothing more
// can be counted.
func (c *conn) concluded() {
	if c.inbox == nil || c.phase != ended || c.busy || c.inbox.closed {
		return
	}
	c.inbox.closed = true
	c.inbox.forget()
	c.inbox.calls = append(c.inbox.calls, call{method: (*Hub).closed})
	c.tell()
}

func (c *conn) tell() {
	if !c.inbox.telling {
		c.inbox.telling = c.hub.calls.start(c.tellAll)
	}
}

// tellAll makes the calls until there are none.
func (c *conn) tellAll() {
	for calls := c.nextCalls(nil); len(calls) > 0; calls = c.nextCalls(calls) {
		for _, call := range calls {
			c.hub.call(c, call)
		}
	}
}

// nextCalls takes the calls that have come together, those before having been made.
func (c *conn) nextCalls(made []call) []call {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.inbox
	for _, call := range made {
		if call.N > 0 {
			i.size -= len(call.Text) + callOverhead
		}
	}
	c.resumeIfCaughtUp()
	calls := i.calls
	i.calls, i.telling = nil, len(calls) > 0
	return calls
}
