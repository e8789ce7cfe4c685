// Command nbio is an echo server on lesismal/nbio: epoll, no goroutine a connection, and no store.
package main

import (
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/lesismal/nbio/nbhttp"
	"github.com/lesismal/nbio/nbhttp/websocket"
)

func main() {
	upgrader := websocket.NewUpgrader()
	upgrader.OnOpen(func(c *websocket.Conn) { c.SetSession(new(int)) })
	upgrader.OnMessage(func(c *websocket.Conn, kind websocket.MessageType, _ []byte) {
		count := c.Session().(*int) // one message of a connection at a time
		*count++
		_ = c.WriteMessage(kind, []byte(`{"count":`+strconv.Itoa(*count)+`}`)) // OnClose follows where it failed
	})
	mux := http.NewServeMux()
	mux.HandleFunc("/ws/chat/", func(w http.ResponseWriter, r *http.Request) { _, _ = upgrader.Upgrade(w, r, nil) })
	engine := nbhttp.NewEngine(nbhttp.Config{
		Network: "tcp", Addrs: []string{"127.0.0.1:" + os.Getenv("PORT")},
		Handler: mux, IOMod: nbhttp.IOModNonBlocking, ReleaseWebsocketPayload: true,
	})
	if err := engine.Start(); err != nil {
		log.Fatal(err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	<-stop
}
