// Package recovery turns a panic of a handler into an answer and a log line.
package recovery

import (
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/gofiber/fiber/v2"

	"baton/middleware/refusal"
)

// New recovers from panics; panicked is told of each.
func New(log *slog.Logger, panicked func()) fiber.Handler {
	return func(c *fiber.Ctx) (err error) {
		defer func() {
			if r := recover(); r != nil {
				panicked()
				log.Error("panic", "error", fmt.Sprint(r), "stack", string(debug.Stack()))
				err = refusal.Send(c, refusal.Internal())
			}
		}()
		return c.Next()
	}
}
