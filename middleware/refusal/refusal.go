// Package refusal answers a request that is not served: one JSON shape, one
// table of codes.
package refusal

import (
	"strconv"

	"github.com/gofiber/fiber/v2"
)

// Refusal is an answer {"error":{"code":…,"message":…}}.
type Refusal struct {
	Status     int
	Code       string // for programs
	Message    string // for people
	RetryAfter int    // seconds; 0: no such header
}

// With returns the refusal with another message.
func (r Refusal) With(message string) Refusal {
	r.Message = message
	return r
}

// SessionIDInvalid refuses a session_id of another form.
func SessionIDInvalid() Refusal {
	return Refusal{fiber.StatusBadRequest, "session_id_invalid", "session_id must be a UUID such as 3f2b8c1e-9d4a-4e6b-8f7a-1c2d3e4f5a6b", 0}
}

// AttemptInvalid refuses an attempt that is no positive integer.
func AttemptInvalid() Refusal {
	return Refusal{fiber.StatusBadRequest, "attempt_invalid", "attempt must be a positive integer below 2^63", 0}
}

// HandshakeInvalid refuses an upgrade request that RFC 6455 section 4.2.1 does not allow.
func HandshakeInvalid() Refusal {
	return Refusal{fiber.StatusBadRequest, "handshake_invalid", "Sec-WebSocket-Key must be 16 bytes in base64", 0}
}

// SessionTokenInvalid refuses a session_id that the server has not signed, where it signs them.
func SessionTokenInvalid() Refusal {
	return Refusal{fiber.StatusUnauthorized, "session_token_invalid", "session_id must be what this server gave: present it whole, or leave it out for a new session", 0}
}

// SessionTokenExpired refuses a session_id that was signed too long ago.
func SessionTokenExpired() Refusal {
	return Refusal{fiber.StatusUnauthorized, "session_token_expired", "this session_id was given too long ago; leave it out for a new session", 0}
}

// JWTMissing refuses a handshake without a token, where one is asked for.
func JWTMissing() Refusal {
	return Refusal{fiber.StatusUnauthorized, "jwt_missing", "this server asks for a token: Authorization: Bearer …, or the subprotocol baton.jwt.…", 0}
}

// JWTInvalid refuses a token that was not made by the issuer, or not for this server.
func JWTInvalid() Refusal {
	return Refusal{fiber.StatusUnauthorized, "jwt_invalid", "the token is not one of this server's issuer and for this server", 0}
}

// JWTExpired refuses a token that was valid once.
func JWTExpired() Refusal {
	return Refusal{fiber.StatusUnauthorized, "jwt_expired", "the token has expired; get a new one", 0}
}

// SessionForbidden refuses a session that is not the token's own.
func SessionForbidden() Refusal {
	return Refusal{fiber.StatusForbidden, "session_forbidden", "the token opens another session; present that one's session_id, or none", 0}
}

// OriginNotAllowed refuses a browser on a page of another origin.
func OriginNotAllowed() Refusal {
	return Refusal{fiber.StatusForbidden, "origin_not_allowed", "this origin may not open sessions here; the server's ALLOWED_ORIGINS lists those that may", 0}
}

// StaleAttempt refuses a connect that was overtaken by a newer one.
func StaleAttempt() Refusal {
	return Refusal{fiber.StatusConflict, "stale_attempt", "a newer attempt holds this session; connect with a higher attempt", 0}
}

// UpgradeRequired refuses plain HTTP on the WebSocket path.
func UpgradeRequired() Refusal {
	return Refusal{fiber.StatusUpgradeRequired, "upgrade_required", "this path speaks WebSocket, version 13", 0}
}

// RateLimited refuses an address that connects too often.
func RateLimited() Refusal {
	return Refusal{fiber.StatusTooManyRequests, "rate_limited", "too many connects from this address; try again later", 1}
}

// TooManyConnections refuses an address that holds MAX_CONNECTIONS_PER_ADDRESS.
func TooManyConnections() Refusal {
	return Refusal{fiber.StatusTooManyRequests, "too_many_connections", "this address holds as many connections here as it may; close some, or try again later", 5}
}

// AtCapacity refuses a connection over MAX_CONNECTIONS.
func AtCapacity() Refusal {
	return Refusal{fiber.StatusServiceUnavailable, "at_capacity", "this server holds as many connections as it may; try again later", 1}
}

// Draining refuses a connection to a server that is about to end.
func Draining() Refusal {
	return Refusal{fiber.StatusServiceUnavailable, "draining", "this server is draining; connect again to reach another", 1}
}

// StoreUnavailable refuses a session whose count cannot be read.
func StoreUnavailable() Refusal {
	return Refusal{fiber.StatusServiceUnavailable, "session_store_unavailable", "the session's count cannot be read now; try again later", 1}
}

// Internal answers a panic or an error nobody foresaw.
func Internal() Refusal {
	return Refusal{fiber.StatusInternalServerError, "internal", "something went wrong here; the log tells what, by this request's X-Request-Id", 0}
}

type localsKey struct{}

// Send answers with the refusal.
func Send(c *fiber.Ctx, r Refusal) error {
	c.Locals(localsKey{}, r.Code)
	if r.RetryAfter > 0 {
		c.Set(fiber.HeaderRetryAfter, strconv.Itoa(r.RetryAfter))
	}
	if r.Status == fiber.StatusUpgradeRequired {
		c.Set(fiber.HeaderUpgrade, "websocket")
		c.Set("Sec-WebSocket-Version", "13")
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.Status(r.Status).JSON(fiber.Map{"error": fiber.Map{"code": r.Code, "message": r.Message}})
}

// Code tells the code that the request was refused with, or "".
func Code(c *fiber.Ctx) string {
	code, _ := c.Locals(localsKey{}).(string)
	return code
}
