package tracing

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"baton/middleware/session"
)

// Claims spans every claim, as a child of its handshake.
func (t *Tracing) Claims(next session.Claimer) session.Claimer {
	if t == nil {
		return next
	}
	return claims{next, t.tracer}
}

type claims struct {
	next   session.Claimer
	tracer trace.Tracer
}

// Claim implements session.Claimer.
func (c claims) Claim(ctx context.Context, owner session.Owner) (session.State, error) {
	ctx, span := c.tracer.Start(ctx, "claim", toRedis(), trace.WithAttributes(redisSystem(),
		attribute.String("baton.session_id", session.ShortID(owner.Session))))
	defer span.End()
	state, err := c.next.Claim(ctx, owner)
	if err != nil {
		fail(span, errorType(err))
	} else {
		span.SetAttributes(attribute.Bool("baton.resumed", state.Existed))
	}
	return state, err
}

// exemplars may be told which trace shows a pipeline.
type exemplars interface {
	ExemplarBatch(took time.Duration, traceID string)
}

// Batches spans every pipeline of commits. It belongs to many sessions, so it
// is a trace of its own; one that is kept is an exemplar of the pipeline's time.
func (t *Tracing) Batches(next session.Observer) session.Observer {
	if t == nil {
		return next
	}
	return batches{next, t.tracer}
}

type batches struct {
	next   session.Observer
	tracer trace.Tracer
}

// ObserveBatch implements session.Observer: the pipeline has just ended.
func (b batches) ObserveBatch(size int, took time.Duration, attempts int, err error) {
	b.next.ObserveBatch(size, took, attempts, err)
	_, span := b.tracer.Start(context.Background(), "commit", toRedis(), trace.WithTimestamp(time.Now().Add(-took)))
	defer span.End()
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(redisSystem(), attribute.Int("baton.commit.size", size), attribute.Int("baton.commit.attempts", attempts))
	if err != nil {
		fail(span, errorType(err))
	}
	if kept := span.SpanContext(); kept.IsSampled() {
		if next, ok := b.next.(exemplars); ok {
			next.ExemplarBatch(took, kept.TraceID().String())
		}
	}
}

func toRedis() trace.SpanStartOption { return trace.WithSpanKind(trace.SpanKindClient) }

func redisSystem() attribute.KeyValue { return attribute.String("db.system.name", "redis") }

// errorType is one of few: what Redis calls its own errors (OOM, LOADING…), or
// why there was no answer.
func errorType(err error) string {
	var reply redis.Error
	var network net.Error
	switch {
	case errors.Is(err, session.ErrStaleAttempt):
		return "stale_attempt"
	case errors.As(err, &reply):
		word, _, _ := strings.Cut(reply.Error(), " ")
		return word
	case errors.As(err, &network) && network.Timeout():
		return "timeout"
	default:
		return "unreachable"
	}
}
