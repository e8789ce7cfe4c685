// Package accesslog writes a line a request, and numbers requests.
package accesslog

import (
	"log/slog"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"baton/middleware/refusal"
	"baton/middleware/remote"
)

// maxRequestID is how long an X-Request-Id of the caller may be.
const maxRequestID = 64

type localsKey struct{}

// New logs every request: refused handshakes at warn, everything else at
// debug, since probes and scrapes ask every few seconds.
func New(log *slog.Logger) fiber.Handler {
	return func(c *fiber.Ctx) error {
		id := requestID(c)
		c.Locals(localsKey{}, id)
		c.Set(fiber.HeaderXRequestID, id)
		began := time.Now()
		err := c.Next()
		if err != nil { // answered here, or the line would tell of an answer not yet made
			err = c.App().ErrorHandler(c, err)
		}
		log.Log(c.Context(), level(c), "request", "method", c.Method(), "path", c.Path(),
			"status", c.Response().StatusCode(), "refused", refusal.Code(c), "took", time.Since(began).String(),
			"request_id", id, "remote", remote.Address(c))
		return err
	}
}

// RequestID is the request's number.
func RequestID(c *fiber.Ctx) string {
	id, _ := c.Locals(localsKey{}).(string)
	return id
}

func level(c *fiber.Ctx) slog.Level {
	status := c.Response().StatusCode()
	if refusal.Code(c) == "" || status == fiber.StatusNotFound || status == fiber.StatusMethodNotAllowed {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

// requestID keeps the caller's number when it is harmless in a log.
func requestID(c *fiber.Ctx) string {
	given := c.Get(fiber.HeaderXRequestID)
	if given == "" || len(given) > maxRequestID {
		return uuid.NewString()
	}
	for _, r := range given {
		if !isWordRune(r) {
			return uuid.NewString()
		}
	}
	return string([]byte(given)) // a copy: Fiber reuses the header's bytes
}

func isWordRune(r rune) bool {
	return r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}
