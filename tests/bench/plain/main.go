// Command plain is the server that most would write first: one goroutine a connection, which reads a message, stores the
// count with its expiry through gofiber/storage and replies. The benchmark measures beside it.
//
// Without REDIS_URL it stores nothing: the cost of the wire alone.
package main

import (
	"log"
	"os"
	"strconv"
	"time"

	"github.com/gofiber/contrib/websocket"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/storage/redis/v3"
)

const sessionTTL = time.Hour

func main() {
	var storage *redis.Storage
	if url := os.Getenv("REDIS_URL"); url != "" {
		storage = redis.New(redis.Config{URL: url})
	}
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Get("/healthz", func(c *fiber.Ctx) error { return c.SendStatus(fiber.StatusOK) })
	app.Get("/ws/chat/", websocket.New(func(c *websocket.Conn) {
		_ = serve(c, storage) // ends when the peer has gone
	}))
	log.Fatal(app.Listen("127.0.0.1:" + os.Getenv("PORT")))
}

func serve(c *websocket.Conn, storage *redis.Storage) error {
	key, count := "session:"+c.Query("session_id"), 0
	if storage != nil {
		stored, err := storage.Get(key)
		if err != nil {
			return err
		}
		count, _ = strconv.Atoi(string(stored)) // a new session has nothing: 0
	}
	for {
		kind, _, err := c.ReadMessage()
		if err != nil {
			return err
		}
		count++
		digits := strconv.AppendInt(nil, int64(count), 10)
		if storage != nil {
			if err := storage.Set(key, digits, sessionTTL); err != nil {
				return err
			}
		}
		if err := c.WriteMessage(kind, []byte(`{"count":`+string(digits)+`}`)); err != nil {
			return err
		}
	}
}
