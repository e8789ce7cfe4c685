// Package bearer asks a handshake for a JSON Web Token of an issuer that the
// server trusts, RFC 7519 and RFC 6750.
package bearer

import (
	"errors"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/gofiber/fiber/v2"

	"baton/middleware/refusal"
)

const (
	// ProtocolPrefix begins the item of Sec-WebSocket-Protocol that carries the
	// token of a browser, which can't set Authorization. It is never the one
	// that the server selects.
	ProtocolPrefix = "baton.jwt."
	// AnySession, as the claim's value, lets the token open every session.
	AnySession = "*"
	// leeway is how far the issuer's clock and this one may be apart.
	leeway = 30 * time.Second
)

var errExpired = errors.New("the token has expired")

// Config is the check's configuration.
type Config struct {
	Keys         []jose.JSONWebKey // public keys, or shared secrets; none: no token is asked for
	Algorithms   []jose.SignatureAlgorithm
	Issuer       string // the one `iss`
	Audience     string // one of `aud`
	SessionClaim string // names the claim with the one session that the token opens; empty: every token opens any
}

type localsKey struct{}

// New returns the check. What it lets pass was signed by one of the keys, with
// one of the algorithms, for this audience, and has not expired.
func New(config Config) fiber.Handler {
	if len(config.Keys) == 0 {
		return func(c *fiber.Ctx) error { return c.Next() }
	}
	return func(c *fiber.Ctx) error {
		text := presented(c)
		if text == "" {
			return refuse(c, refusal.JWTMissing(), "Bearer")
		}
		session, err := config.verify(text, time.Now())
		switch {
		case errors.Is(err, errExpired):
			return refuse(c, refusal.JWTExpired(), `Bearer error="invalid_token"`)
		case err != nil:
			return refuse(c, refusal.JWTInvalid(), `Bearer error="invalid_token"`)
		}
		c.Locals(localsKey{}, session)
		return c.Next()
	}
}

// Session is the one session that the request's token opens; "" if it opens any.
func Session(c *fiber.Ctx) string {
	session, _ := c.Locals(localsKey{}).(string)
	return session
}

func refuse(c *fiber.Ctx, r refusal.Refusal, challenge string) error {
	c.Set(fiber.HeaderWWWAuthenticate, challenge)
	return refusal.Send(c, r)
}

// presented is the token of the Authorization header or, without one, of the
// offered subprotocols. Not of the query: addresses end in logs and histories.
func presented(c *fiber.Ctx) string {
	if authorization := c.Get(fiber.HeaderAuthorization); authorization != "" {
		scheme, text, _ := strings.Cut(authorization, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return ""
		}
		return strings.TrimSpace(text)
	}
	for item := range strings.SplitSeq(c.Get("Sec-WebSocket-Protocol"), ",") {
		if text, found := strings.CutPrefix(strings.TrimSpace(item), ProtocolPrefix); found {
			return text
		}
	}
	return ""
}

// verify returns the session that the token is bound to, "" for any.
func (config Config) verify(text string, now time.Time) (session string, err error) {
	token, err := jwt.ParseSigned(text, config.Algorithms)
	if err != nil {
		return "", err
	}
	var claims jwt.Claims
	var all map[string]any
	if err := config.open(token, &claims, &all); err != nil {
		return "", err
	}
	if claims.Expiry == nil {
		return "", errors.New("the token has no exp")
	}
	expected := jwt.Expected{Issuer: config.Issuer, AnyAudience: jwt.Audience{config.Audience}, Time: now}
	if err := claims.ValidateWithLeeway(expected, leeway); errors.Is(err, jwt.ErrExpired) {
		return "", errExpired
	} else if err != nil {
		return "", err
	}
	return config.bound(all)
}

// open verifies the signature with every key that may have made it: a token
// without a kid says of none that it did not.
func (config Config) open(token *jwt.JSONWebToken, dest ...any) error {
	header := token.Headers[0]
	for _, key := range config.Keys {
		if header.KeyID != "" && key.KeyID != "" && header.KeyID != key.KeyID {
			continue
		}
		if key.Algorithm != "" && key.Algorithm != header.Algorithm {
			continue
		}
		if token.Claims(key.Key, dest...) == nil {
			return nil
		}
	}
	return errors.New("no key has signed the token")
}

// bound fails where the claim is asked for and missing: a misspelt one must not
// open every session.
func (config Config) bound(claims map[string]any) (string, error) {
	if config.SessionClaim == "" {
		return "", nil
	}
	session, _ := claims[config.SessionClaim].(string)
	switch session {
	case "":
		return "", errors.New("the token names no session")
	case AnySession:
		return "", nil
	default:
		return session, nil
	}
}
