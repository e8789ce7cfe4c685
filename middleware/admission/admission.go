// Package admission decides whether a WebSocket handshake may go on, before it
// costs a session look-up.
package admission

import (
	"encoding/base64"

	"github.com/gofiber/fiber/v2"

	"baton/middleware/refusal"
)

// keyBytes is the length of a Sec-WebSocket-Key, RFC 6455 section 4.1.
const keyBytes = 16

// Upgrade lets only whole upgrade requests pass (RFC 6455 section 4.2.1), so that
// nothing after it is done for a handshake that can't succeed.
func Upgrade() fiber.Handler {
	return func(c *fiber.Ctx) error {
		if c.Method() != fiber.MethodGet || !hasToken(c.Get(fiber.HeaderConnection), "upgrade") ||
			!hasToken(c.Get(fiber.HeaderUpgrade), "websocket") || c.Get("Sec-WebSocket-Version") != "13" {
			return refusal.Send(c, refusal.UpgradeRequired())
		}
		key, err := base64.StdEncoding.DecodeString(c.Get("Sec-WebSocket-Key"))
		if err != nil || len(key) != keyBytes {
			return refusal.Send(c, refusal.HandshakeInvalid())
		}
		return c.Next()
	}
}

// Open lets handshakes pass until the server drains.
func Open(draining func() bool) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if draining() {
			return refusal.Send(c, refusal.Draining())
		}
		return c.Next()
	}
}
