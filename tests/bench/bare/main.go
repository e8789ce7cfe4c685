// Command bare is what Baton would be if it kept nothing: its loops and its frames, a count of each connection in memory,
// and no store, session, fence, limit, log or metric. What it reaches is the most that storing can be made to cost nothing.
package main

import (
	"bufio"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"

	"baton/handlers"
	"baton/handlers/frame"
	"baton/handlers/transport"
	"baton/tests/harness"
)

const maxMessage = 64 << 10 // bytes

func main() {
	core, err := transport.New(func(int) {})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		log.Fatal(err)
	}
	for {
		nc, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		if err := serve(core, nc.(*net.TCPConn)); err != nil {
			log.Print(err)
		}
	}
}

// serve answers the handshake, one client at a time: it is not what is measured.
func serve(core transport.Core, nc *net.TCPConn) error {
	request, err := http.ReadRequest(bufio.NewReader(nc))
	if err != nil {
		return nc.Close() // somebody who looked whether there is a server
	}
	if _, err := fmt.Fprintf(nc, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		harness.AcceptKey(request.Header.Get("Sec-WebSocket-Key"))); err != nil {
		return err
	}
	return core.Attach(nc, nil, func(s transport.Socket) transport.Conn { return &conn{socket: s} })
}

// conn counts the messages of one peer.
type conn struct {
	socket transport.Socket
	parser frame.Parser
	count  uint64
	out    []byte
}

func (c *conn) Opened()            {}
func (c *conn) Writable()          {}
func (c *conn) Disconnected(error) { c.socket.Close() }

// Readable answers what one read brought with one write.
func (c *conn) Readable(b []byte) {
	c.out = c.out[:0]
	for {
		var event frame.Event
		if event, b = c.parser.Next(b, maxMessage); event.Kind != frame.Message {
			break
		}
		c.count++
		at := len(c.out)
		c.out = frame.EndText(handlers.Counting{}.AppendReply(frame.BeginText(c.out), c.count), at)
	}
	if n, err := c.socket.Write(c.out); err != nil || n < len(c.out) {
		c.socket.Close() // the benchmark's clients read all that they are sent
	}
}
