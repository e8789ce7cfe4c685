package handlers

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"runtime"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
)

// readyTimeout is how long a readiness probe waits for Redis.
const readyTimeout = time.Second

// Pinger is a store that can be asked whether it answers.
type Pinger interface {
	Ping(ctx context.Context) error
}

// Identity is what runs here.
type Identity struct {
	Color, Instance, Version, Commit string
	StartedAt                        time.Time
}

// Healthz tells that the process lives.
func Healthz(id Identity) fiber.Handler {
	return func(c *fiber.Ctx) error {
		return noStore(c).JSON(fiber.Map{"status": "ok", "color": id.Color, "version": id.Version})
	}
}

// Version tells what runs here.
func Version(id Identity) fiber.Handler {
	return func(c *fiber.Ctx) error {
		return noStore(c).JSON(fiber.Map{
			"color": id.Color, "instance": id.Instance, "version": id.Version, "commit": id.Commit,
			"go": runtime.Version(), "started_at": id.StartedAt.UTC().Format(time.RFC3339Nano),
		})
	}
}

// Readyz is 200 only when a new session could be served.
func Readyz(store Pinger, draining func() bool) fiber.Handler {
	return func(c *fiber.Ctx) error {
		ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
		defer cancel()
		redis, status, code := "ok", "ready", fiber.StatusOK
		if err := store.Ping(ctx); err != nil {
			redis = why(err)
		}
		if redis != "ok" || draining() {
			status, code = "not_ready", fiber.StatusServiceUnavailable
		}
		return noStore(c).Status(code).JSON(fiber.Map{
			"status": status, "checks": fiber.Map{"redis": redis, "draining": draining()},
		})
	}
}

func noStore(c *fiber.Ctx) *fiber.Ctx {
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c
}

// why puts an error of Redis into a few words that give no address away.
func why(err error) string {
	var netErr net.Error
	var opErr *net.OpError
	var certErr *tls.CertificateVerificationError
	code, _, _ := strings.Cut(err.Error(), " ")
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return "no answer in time"
	case errors.As(err, &certErr):
		return "certificate not trusted"
	case errors.As(err, &opErr):
		return "cannot connect"
	case code != "" && code == strings.ToUpper(code):
		return "answered " + code // such as LOADING, NOAUTH, WRONGPASS
	default:
		return "failing"
	}
}
