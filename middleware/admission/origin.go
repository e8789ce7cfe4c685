package admission

import (
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"baton/middleware/refusal"
)

// Origin lets browsers pass whose page came from the same host and port, or from
// one of the allowed origins ("*": any). Programs send no Origin and pass.
func Origin(allowed []string) fiber.Handler {
	any := slices.Contains(allowed, "*")
	return func(c *fiber.Ctx) error {
		origin := strings.ToLower(c.Get(fiber.HeaderOrigin))
		if origin == "" || any || slices.Contains(allowed, origin) || sameHost(origin, strings.ToLower(c.Get(fiber.HeaderHost))) {
			return c.Next()
		}
		return refusal.Send(c, refusal.OriginNotAllowed())
	}
}

// sameHost compares host and port. A Host without a port stands for the
// default port of whichever scheme the page has: TLS may end at a proxy.
func sameHost(origin, host string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.User != nil || u.Path != "" {
		return false
	}
	port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	if port == "" {
		return false
	}
	return withPort(u.Host, port) == withPort(host, port)
}

func withPort(host, port string) string {
	if h, p, err := net.SplitHostPort(host); err == nil {
		return net.JoinHostPort(h, p)
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), port)
}

// hasToken tells whether a comma-separated header holds a token, in any case.
func hasToken(header, token string) bool {
	for item := range strings.SplitSeq(header, ",") {
		if strings.EqualFold(strings.TrimSpace(item), token) {
			return true
		}
	}
	return false
}
