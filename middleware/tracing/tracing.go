// Package tracing tells an OpenTelemetry collector of handshakes, claims, commit
// batches and drains. It is off by default: then there is no Tracing, and
// nothing of it runs.
package tracing

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// lastExport is how long Stop waits for what is still to be exported.
const lastExport = 500 * time.Millisecond

// Config tells where spans go and who sends them.
type Config struct {
	Endpoint string            // base URL of a collector that takes OTLP over HTTP
	Headers  map[string]string // sent with every export
	Sampler  string            // a value of OTEL_TRACES_SAMPLER
	Ratio    float64           // of the samplers by ratio, 0 to 1

	Service  string
	Version  string
	Instance string
	Color    string
	Log      *slog.Logger
}

// Tracing makes spans and exports them in the background; what the collector
// does not take in time is dropped. A nil *Tracing is tracing turned off: it
// hands back what it is given.
type Tracing struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	client   *client
}

// New starts to export. OTEL_RESOURCE_ATTRIBUTES, OTEL_BSP_… and the limits of
// spans are read from the environment by OpenTelemetry's own library.
func New(ctx context.Context, config Config) (*Tracing, error) {
	c := newClient(config)
	exporter, err := otlptrace.New(ctx, c)
	if err != nil {
		return nil, err
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithResource(identity(ctx, config)),
		sdktrace.WithSampler(sampler(config)),
	)
	return &Tracing{provider: provider, tracer: provider.Tracer("baton"), client: c}, nil
}

// identity is what every span carries.
func identity(ctx context.Context, config Config) *resource.Resource {
	r, err := resource.New(ctx, resource.WithFromEnv(), resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", config.Service),
		attribute.String("service.version", config.Version),
		attribute.String("service.instance.id", config.Instance),
		attribute.String("deployment.name", config.Color),
	))
	if err != nil {
		config.Log.Warn("OTEL_RESOURCE_ATTRIBUTES is not all readable", "error", err.Error())
	}
	return r
}

func sampler(config Config) sdktrace.Sampler {
	switch config.Sampler {
	case "always_on":
		return sdktrace.AlwaysSample()
	case "always_off":
		return sdktrace.NeverSample()
	case "traceidratio":
		return sdktrace.TraceIDRatioBased(config.Ratio)
	case "parentbased_always_off":
		return sdktrace.ParentBased(sdktrace.NeverSample())
	case "parentbased_traceidratio":
		return sdktrace.ParentBased(sdktrace.TraceIDRatioBased(config.Ratio))
	default:
		return sdktrace.ParentBased(sdktrace.AlwaysSample())
	}
}

// Drain begins the span of a drain; what it returns ends it.
func (t *Tracing) Drain(connections int64) func(cut int) {
	if t == nil {
		return func(int) {}
	}
	_, span := t.tracer.Start(context.Background(), "drain", trace.WithAttributes(attribute.Int64("baton.connections", connections)))
	return func(cut int) {
		span.SetAttributes(attribute.Int("baton.cut", cut))
		if cut > 0 {
			fail(span, "drain_timeout")
		}
		span.End()
	}
}

// Stop exports what is left, for patience and for lastExport at most; a
// collector that failed last is not waited for.
func (t *Tracing) Stop(patience time.Duration) {
	if t == nil {
		return
	}
	if t.client.failing.Load() {
		patience = 0
	}
	// Once aborted every export fails at once, so that Shutdown needs no time-out.
	timer := time.AfterFunc(min(patience, lastExport), t.client.abort)
	defer timer.Stop()
	if err := t.provider.Shutdown(context.Background()); err != nil {
		t.client.log.Warn("tracing did not end well", "error", err.Error())
	}
}

// fail marks a span as an error of a bounded type: an error's own text may hold
// addresses.
func fail(span trace.Span, errorType string) {
	span.SetAttributes(attribute.String("error.type", errorType))
	span.SetStatus(codes.Error, errorType)
}
