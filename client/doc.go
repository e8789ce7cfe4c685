// Package client keeps one Baton session through every loss of its
// connection: deploys, crashes, cut networks. No message is lost and none is
// counted twice.
//
//	c, err := client.Dial(ctx, client.Config{URL: "wss://example.com/ws/chat/"})
//	if err != nil {
//		return err
//	}
//	defer c.Close(ctx)
//	if _, err := c.Send(ctx, "hello"); err != nil {
//		return err
//	}
//	return c.Flush(ctx) // everything is counted and stored
//
// Send queues, and returns at once. Events tell what becomes of it.
//
// # The rule
//
// The count is the acknowledgement. The client numbers its messages on from
// the count of its first session message; a reply with count c acknowledges
// message c and all before it. After a reconnect it drops what the session
// message says is counted and writes the rest again, in order. The server
// counts for one connection of a session at a time (the newest), so between
// the session message and the first message written nothing can be counted
// by anybody else.
//
// # States
//
//		             handshake and session message
//		connecting ────────────────────────────────► live
//		    ▲  │ refused, failed: wait                │ │
//		    └──┘                                      │ │ reconnect within N ms
//		    ▲          the connection ends            │ ▼
//		    └──────────────────────────────────────── live and connecting (handover)
//		                                                │ session message of the new one
//		                                                ▼
//		                                              live, on the new connection
//
//	  - connecting: messages queue. Waits between attempts are exponential with
//	    full jitter, a Retry-After is waited for first, and after 1008 and
//	    1013 one second.
//	  - live: messages are written as they come. After a silence of KeepAlive
//	    the server is pinged, after three the connection is given up.
//	  - handover: at a random moment of the time the server gave, the next
//	    connection is opened while this one still sends and hears replies. What
//	    this one hears before the new one's session message counts. From the
//	    moment of the new claim the server counts nothing of the old one, and
//	    the new session message says what that was; the rest is written again.
//	    If the old connection ends meanwhile, this is plain connecting.
//	  - Each handshake carries an attempt: one more than the last, and at least
//	    the clock in milliseconds. One that was given up and arrives late is
//	    refused by it. 409 (a clock set back, a proxy that repeated our
//	    handshake) is tried again with attempts that run further and further
//	    ahead.
//	  - Close 4001 ends the client with ErrTakenOver, and it does not come back,
//	    unless it has itself started a handshake since that connection was
//	    claimed: then the other one may be itself, and it connects again.
//	  - 1002, 1003, 1007 and 1009 end it, for the same message would be refused again,
//	    and so do 400, 401, 403 and 426. Every other end is resumed.
//	  - A session message that says less than was acknowledged is told as Reset,
//	    one that says more than was written as Foreign; messages are numbered on
//	    from what it said.
//
// # Limits
//
// Counts tell messages apart by their place in the session, not by content:
// two programs that write in one session at a time can't both be exact (the
// older one gets 4001). And the server's Redis has to keep what it
// acknowledged.
//
// # Costs
//
// An idle client has one goroutine and about 10 KB. For thousands in one
// process share a wire.Dialer, and with it the buffers.
package client
