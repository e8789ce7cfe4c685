package session

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"baton/middleware/bearer"
	"baton/middleware/refusal"
	"baton/middleware/token"
)

// HeaderSessionID tells the client its session in the handshake's answer.
const HeaderSessionID = "X-Session-Id"

// Claimer makes an owner the one connection that may count, as Store.Claim does.
type Claimer interface {
	Claim(ctx context.Context, owner Owner) (State, error)
}

// Config is the look-up's configuration.
type Config struct {
	Store    Claimer
	IDFormat string        // "uuid" or "token"
	Tokens   *token.Signer // nil: an id is presented as it is
	Instance string        // unique to the process: makes fencing tokens unique
	Log      *slog.Logger
}

// Session is what the look-up found: the connection owns it from here on.
type Session struct {
	Owner
	Shown   string // what the client presents to resume: the id, signed if ids are
	Count   uint64
	Resumed bool // the store had it
}

type localsKey struct{}

// New returns the look-up: it reads session_id and attempt, claims the session
// and hands it on by From. A handshake that it lets pass has fenced every
// older connection of the session.
func New(config Config) fiber.Handler {
	var tokens atomic.Uint64
	return func(c *fiber.Ctx) error {
		given, now := c.Query("session_id"), time.Now()
		if given != "" {
			var err error
			if given, err = config.Tokens.Open(given, now); err != nil {
				return refusal.Send(c, tokenRefusal(err))
			}
		}
		bound := bearer.Session(c)
		if given == "" {
			given = bound
		}
		id, ok := parseID(given, config.IDFormat)
		if !ok {
			return refusal.Send(c, idRefusal(config.IDFormat))
		}
		if !opens(bound, id, config.IDFormat) {
			return refusal.Send(c, refusal.SessionForbidden())
		}
		attempt, ok := parseAttempt(c)
		if !ok {
			return refusal.Send(c, refusal.AttemptInvalid())
		}
		fence := config.Instance + "." + strconv.FormatUint(tokens.Add(1), 36)
		owner := Owner{Session: id, Token: fence, Attempt: attempt}
		state, err := config.Store.Claim(c.UserContext(), owner)
		if errors.Is(err, ErrStaleAttempt) {
			return refusal.Send(c, refusal.StaleAttempt())
		}
		if err != nil {
			config.Log.Error("session look-up failed", "session_id", ShortID(id), "error", err.Error())
			return refusal.Send(c, refusal.StoreUnavailable())
		}
		owner.Attempt = state.Attempt
		shown := strings.Clone(config.Tokens.Renew(id, c.Query("session_id"), now))
		c.Locals(localsKey{}, &Session{Owner: owner, Shown: shown, Count: state.Count, Resumed: state.Existed})
		c.Set(HeaderSessionID, shown)
		return c.Next()
	}
}

// opens tells whether a token that is bound to a session ("": to none) opens id.
func opens(bound, id, format string) bool {
	own, ok := parseID(bound, format)
	return bound == "" || ok && own == id
}

// From is the session that the look-up claimed for this request.
func From(c *fiber.Ctx) *Session {
	s, _ := c.Locals(localsKey{}).(*Session)
	return s
}

// shortID is how much of a session id logs show: enough to find it, too little
// to take it over.
const shortID = 8

// ShortID is the part of a session id that may be logged: never more than half
// of it, since the token format has short ones.
func ShortID(id string) string { return id[:min(len(id)/2, shortID)] }

func tokenRefusal(err error) refusal.Refusal {
	if errors.Is(err, token.ErrExpired) {
		return refusal.SessionTokenExpired()
	}
	return refusal.SessionTokenInvalid()
}

func idRefusal(format string) refusal.Refusal {
	if format == "token" {
		return refusal.SessionIDInvalid().With("session_id must be 1 to 64 of A-Z a-z 0-9 _ -")
	}
	return refusal.SessionIDInvalid()
}

// uuidLength is that of the one spelling taken: 8-4-4-4-12 hexadecimal digits.
const uuidLength = 36

// parseID copies the id out of the request, whose memory Fiber reuses.
func parseID(given, format string) (string, bool) {
	if given == "" {
		return uuid.NewString(), true
	}
	if format == "token" {
		return strings.Clone(given), isToken(given)
	}
	if len(given) != uuidLength {
		return "", false
	}
	id, err := uuid.Parse(given)
	return id.String(), err == nil
}

// maxToken is the longest id of the token format.
const maxToken = 64

func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return len(s) <= maxToken
}

// parseAttempt reads a positive integer; absent is "".
func parseAttempt(c *fiber.Ctx) (string, bool) {
	if !c.Context().QueryArgs().Has("attempt") {
		return "", true
	}
	text := c.Query("attempt")
	n, err := strconv.ParseUint(text, 10, 63)
	return strconv.FormatUint(n, 10), err == nil && n > 0
}
