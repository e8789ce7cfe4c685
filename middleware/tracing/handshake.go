package tracing

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"baton/middleware/accesslog"
	"baton/middleware/refusal"
	"baton/middleware/session"
)

// Handshake spans a handshake, from the route's first middleware to the 101 or
// the refusal. Its parent is the request's traceparent (W3C Trace Context),
// which the front door sets. It is in the request's UserContext.
func (t *Tracing) Handshake() fiber.Handler {
	if t == nil {
		return func(c *fiber.Ctx) error { return c.Next() }
	}
	return func(c *fiber.Ctx) error {
		parent := propagation.TraceContext{}.Extract(context.Background(), headers{c})
		ctx, span := t.tracer.Start(parent, "handshake", trace.WithSpanKind(trace.SpanKindServer))
		c.SetUserContext(ctx)
		returned := false
		defer func() {
			if !returned {
				fail(span, "panic")
			}
			span.End()
		}()
		err := c.Next()
		returned = true
		if span.IsRecording() {
			describe(span, c, err)
		}
		return err
	}
}

// describe tells how the handshake ended. Fiber reuses a request's memory, so
// every string that outlives it is a copy.
func describe(span trace.Span, c *fiber.Ctx, err error) {
	status := status(c, err)
	span.SetAttributes(
		attribute.String("http.request.method", strings.Clone(c.Method())),
		attribute.String("http.route", c.Route().Path),
		attribute.Int("http.response.status_code", status),
		attribute.String("baton.request_id", accesslog.RequestID(c)),
		attribute.String("baton.subprotocol", string(c.Response().Header.Peek("Sec-WebSocket-Protocol"))),
	)
	if s := session.From(c); s != nil {
		span.SetAttributes(attribute.String("baton.session_id", session.ShortID(s.Session)), attribute.Bool("baton.resumed", s.Resumed))
	}
	if code := refusal.Code(c); code != "" {
		span.SetAttributes(attribute.String("baton.refused", code))
	}
	if status >= fiber.StatusInternalServerError {
		fail(span, strconv.Itoa(status))
	}
}

// status is the answer's, also where the error handler is still to make it.
func status(c *fiber.Ctx, err error) int {
	var known *fiber.Error
	switch {
	case err == nil:
		return c.Response().StatusCode()
	case errors.As(err, &known):
		return known.Code
	default:
		return fiber.StatusInternalServerError
	}
}

// headers reads a request's headers as OpenTelemetry wants them.
type headers struct{ c *fiber.Ctx }

// Get implements propagation.TextMapCarrier.
func (h headers) Get(key string) string { return strings.Clone(h.c.Get(key)) }

// Set implements propagation.TextMapCarrier; nothing is sent on from here.
func (h headers) Set(string, string) {}

// Keys implements propagation.TextMapCarrier.
func (h headers) Keys() []string { return nil }
