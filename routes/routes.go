// Package routes is the URL table and the middleware order, on one screen.
package routes

import (
	"errors"
	"log/slog"
	"net/netip"

	"github.com/gofiber/fiber/v2"

	"baton/handlers"
	"baton/handlers/console"
	"baton/middleware/accesslog"
	"baton/middleware/admission"
	"baton/middleware/bearer"
	"baton/middleware/metrics"
	"baton/middleware/recovery"
	"baton/middleware/refusal"
	"baton/middleware/remote"
	"baton/middleware/session"
	"baton/middleware/tracing"
)

// Deps is everything that the routes lead to.
type Deps struct {
	Log            *slog.Logger
	Metrics        *metrics.Metrics
	Tracing        *tracing.Tracing
	Identity       handlers.Identity
	Store          *session.Store
	Bearer         bearer.Config
	Sessions       session.Config
	Slots          *admission.Slots
	Chat           *handlers.Chat
	Draining       func() bool
	TrustedProxies []netip.Prefix
	AllowedOrigins []string
	ConnectRate    int
}

// Register mounts the whole service.
func Register(app *fiber.App, d Deps) {
	app.Use(
		remote.New(d.TrustedProxies),
		accesslog.New(d.Log),
		d.Metrics.HTTP(),
		recovery.New(d.Log, func() { d.Metrics.Error(metrics.ReasonPanic) }),
	)

	app.Get("/healthz", handlers.Healthz(d.Identity))
	app.Get("/readyz", handlers.Readyz(d.Store, d.Draining))
	app.Get("/version", handlers.Version(d.Identity))
	d.Metrics.Register(app, "/metrics")

	app.Get("/ws/chat/", // Fiber takes it without the last slash too
		d.Tracing.Handshake(),
		d.Metrics.Refusals(),
		admission.Upgrade(),
		admission.Rate(d.ConnectRate),
		admission.Origin(d.AllowedOrigins),
		admission.Open(d.Draining),
		bearer.New(d.Bearer), // before a slot is taken: a stranger takes nobody's
		d.Slots.Capacity(),
		session.New(d.Sessions),
		d.Chat.Handler(),
	)

	console.Register(app)
}

// Error answers what no handler answered: 404, 405 and what the HTTP server refuses.
func Error(c *fiber.Ctx, err error) error {
	var fiberErr *fiber.Error
	if !errors.As(err, &fiberErr) {
		return refusal.Send(c, refusal.Internal())
	}
	code, known := map[int]string{
		fiber.StatusNotFound:                    "not_found",
		fiber.StatusMethodNotAllowed:            "method_not_allowed",
		fiber.StatusRequestEntityTooLarge:       "request_too_large",
		fiber.StatusRequestHeaderFieldsTooLarge: "headers_too_large",
		fiber.StatusRequestTimeout:              "request_timeout",
		fiber.StatusUpgradeRequired:             "upgrade_required",
	}[fiberErr.Code]
	if !known {
		code = "bad_request"
	}
	return refusal.Send(c, refusal.Refusal{Status: fiberErr.Code, Code: code, Message: message(fiberErr)})
}

func message(err *fiber.Error) string {
	switch err.Code {
	case fiber.StatusNotFound:
		return "nothing is served at this path"
	case fiber.StatusMethodNotAllowed:
		return "this path does not take this method"
	case fiber.StatusBadRequest: // the parser's own words repeat the request
		return "this is not a valid HTTP request"
	default:
		return err.Message
	}
}
