// Package metrics holds every metric of the service and the HTTP middleware
// that feeds those of requests.
package metrics

import (
	"strconv"
	"time"

	"github.com/ansrivas/fiberprometheus/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"baton/middleware/refusal"
)

// Reasons of websocket_errors_total besides the codes of refused handshakes.
const (
	ReasonProtocol      = "protocol_error"
	ReasonBinary        = "binary_message"
	ReasonUTF8          = "invalid_utf8"
	ReasonTooBig        = "message_too_big"
	ReasonRate          = "message_rate"
	ReasonCommitTimeout = "commit_timeout"
	ReasonSlow          = "slow_reader"
	ReasonIdle          = "idle_timeout"
	ReasonPanic         = "panic"
)

// Metrics are the service's own. Every method is safe for any goroutine and
// takes no lock that connections share.
type Metrics struct {
	registry *prometheus.Registry
	http     *fiberprometheus.FiberPrometheus

	Messages    prometheus.Counter
	Connections prometheus.Counter
	Resumes     prometheus.Counter
	Fenced      prometheus.Counter
	Startup     prometheus.Gauge
	Limit       prometheus.Gauge // MAX_CONNECTIONS

	errors map[string]prometheus.Counter
	closes map[uint16]prometheus.Counter
	other  prometheus.Counter

	published  map[string]prometheus.Counter
	heard      prometheus.Counter
	subscribed prometheus.Gauge

	messageDuration *Histogram
	batchSize       *Histogram
	commitDuration  *TracedHistogram
	fanout          prometheus.Histogram
}

// Build identifies the process in app_build_info.
type Build struct{ Version, Commit, Color string }

// New registers everything. active, draining and drained are
// asked at each scrape.
func New(build Build, active func() int64, draining func() bool, drained func() time.Duration) *Metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m := &Metrics{
		registry:        registry,
		Messages:        counter(registry, "websocket_messages_total", "Messages counted, stored and acknowledged."),
		Connections:     counter(registry, "websocket_connections_total", "WebSocket connections opened."),
		Resumes:         counter(registry, "websocket_resumes_total", "Connections that resumed a stored session."),
		Fenced:          counter(registry, "websocket_fenced_total", "Connections closed because their session was resumed elsewhere."),
		Startup:         gauge(registry, "app_startup_time_seconds", "Seconds from the process's start until it listened."),
		Limit:           gauge(registry, "websocket_connections_max", "Connections that the process takes, MAX_CONNECTIONS; 0: no limit."),
		heard:           counter(registry, "channel_heard_total", "Messages that came through the channel layer, this process's own too."),
		subscribed:      gauge(registry, "channel_subscribed", "1 while the process hears what others send."),
		messageDuration: NewHistogram("websocket_message_duration_seconds", "Time from a message's frame being read until its reply was written.", latencyBuckets()),
		batchSize:       NewHistogram("session_commit_batch_size", "Commits that one pipeline to Redis carried.", batchBuckets()),
		commitDuration:  NewTracedHistogram("session_commit_duration_seconds", "Time that one pipeline of commits took.", latencyBuckets()),
		fanout: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "websocket_heartbeat_fanout_seconds", Help: "Time to hand one heartbeat to every connection.", Buckets: latencyBuckets(),
		}),
	}
	registry.MustRegister(m.messageDuration, m.batchSize, m.commitDuration, m.fanout)
	gaugeFunc(registry, "websocket_active_connections", "WebSocket connections open now.", func() float64 { return float64(active()) })
	gaugeFunc(registry, "websocket_draining", "1 while the process drains.", func() float64 { return boolean(draining()) })
	gaugeFunc(registry, "app_shutdown_time_seconds", "Seconds since the drain began; 0 before it.", func() float64 { return drained().Seconds() })
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "app_build_info", Help: "1, with what runs as labels."}, []string{"version", "commit", "color"})
	registry.MustRegister(info)
	info.WithLabelValues(build.Version, build.Commit, build.Color).Set(1)
	m.registerLabelled()
	m.http = fiberprometheus.NewWithRegistry(registry, "", "http", "", nil)
	return m
}

// registerLabelled makes every label value at once, so that each series is
// there from the start, and the lookup is a map nobody writes to.
func (m *Metrics) registerLabelled() {
	errs := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "websocket_errors_total", Help: "Refused handshakes and connections closed for a fault, by reason."}, []string{"reason"})
	closes := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "websocket_closes_total", Help: "Connections ended, by close code; 1006: the connection dropped."}, []string{"code"})
	m.registry.MustRegister(errs, closes)
	published := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "channel_published_total", Help: "Messages given to the channel layer: sent, dropped because too much waited, failed because Redis did not take them."}, []string{"result"})
	m.registry.MustRegister(published)
	m.published = map[string]prometheus.Counter{}
	for _, result := range []string{"sent", "dropped", "failed"} {
		m.published[result] = published.WithLabelValues(result)
	}
	m.errors = map[string]prometheus.Counter{}
	for _, reason := range reasons() {
		m.errors[reason] = errs.WithLabelValues(reason)
	}
	m.closes = map[uint16]prometheus.Counter{}
	for _, code := range []uint16{1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 4000, 4001, 4002} {
		m.closes[code] = closes.WithLabelValues(strconv.Itoa(int(code)))
	}
	m.other = closes.WithLabelValues("other")
}

func reasons() []string {
	list := []string{
		ReasonProtocol, ReasonBinary, ReasonUTF8, ReasonTooBig, ReasonRate,
		ReasonCommitTimeout, ReasonSlow, ReasonIdle, ReasonPanic,
	}
	for _, r := range []refusal.Refusal{
		refusal.SessionIDInvalid(), refusal.AttemptInvalid(), refusal.HandshakeInvalid(), refusal.OriginNotAllowed(), refusal.SessionTokenInvalid(), refusal.SessionTokenExpired(),
		refusal.JWTMissing(), refusal.JWTInvalid(), refusal.JWTExpired(), refusal.SessionForbidden(), refusal.StaleAttempt(),
		refusal.UpgradeRequired(), refusal.RateLimited(), refusal.TooManyConnections(), refusal.AtCapacity(), refusal.Draining(), refusal.StoreUnavailable(),
	} {
		list = append(list, r.Code)
	}
	return list
}

// Error counts a fault by its reason; an unknown reason is not counted.
func (m *Metrics) Error(reason string) {
	if c := m.errors[reason]; c != nil {
		c.Inc()
	}
}

// Closed counts a connection's end by its close code.
func (m *Metrics) Closed(code uint16) {
	if c := m.closes[code]; c != nil {
		c.Inc()
		return
	}
	m.other.Inc()
}

// Answered counts n messages acknowledged, took after their frames were read.
func (m *Metrics) Answered(n int, took time.Duration) {
	m.Messages.Add(float64(n))
	m.messageDuration.Observe(took.Seconds(), uint64(n))
}

// ObserveBatch implements the committer's observer.
func (m *Metrics) ObserveBatch(size int, took time.Duration, _ int, _ error) {
	m.batchSize.Observe(float64(size), 1)
	m.commitDuration.Observe(took.Seconds(), 1)
}

// ExemplarBatch names the trace of a pipeline that has been observed.
func (m *Metrics) ExemplarBatch(took time.Duration, traceID string) {
	m.commitDuration.Exemplar(took.Seconds(), traceID)
}

// HeartbeatSent observes one heartbeat's way to all connections.
func (m *Metrics) HeartbeatSent(took time.Duration) { m.fanout.Observe(took.Seconds()) }

// Published counts messages given to the channel layer by how they ended.
func (m *Metrics) Published(result string, n int) {
	if c := m.published[result]; c != nil {
		c.Add(float64(n))
	}
}

// Heard counts a message that came through the channel layer.
func (m *Metrics) Heard() { m.heard.Inc() }

// Subscribed tells whether the process hears what others send.
func (m *Metrics) Subscribed(yes bool) { m.subscribed.Set(boolean(yes)) }

// HTTP counts and times requests by route.
func (m *Metrics) HTTP() fiber.Handler { return m.http.Middleware }

// Refusals counts refused handshakes behind it.
func (m *Metrics) Refusals() fiber.Handler {
	return func(c *fiber.Ctx) error {
		err := c.Next()
		if code := refusal.Code(c); code != "" {
			m.Error(code)
		}
		return err
	}
}

// Register serves the metrics, as OpenMetrics where the scraper accepts it.
func (m *Metrics) Register(r fiber.Router, path string) { m.http.RegisterAt(r, path) }
