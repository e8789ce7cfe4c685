// Command centrifuge is an echo server on the centrifuge library: an RPC a message, and no store.
package main

import (
	"context"
	"log"
	"net/http"
	"os"
	"strconv"

	"github.com/centrifugal/centrifuge"
)

func main() {
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		log.Fatal(err)
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{UserID: ""}}, nil
	})
	node.OnConnect(func(client *centrifuge.Client) {
		count := 0
		client.OnRPC(func(_ centrifuge.RPCEvent, answer centrifuge.RPCCallback) { // one of a client at a time
			count++
			answer(centrifuge.RPCReply{Data: []byte(`{"count":` + strconv.Itoa(count) + `}`)}, nil)
		})
	})
	if err := node.Run(); err != nil {
		log.Fatal(err)
	}
	http.Handle("/ws/chat/", centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{}))
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
