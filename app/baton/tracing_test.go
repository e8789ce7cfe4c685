package baton

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"baton/middleware/session"
)

// collector takes OTLP over HTTP and keeps the spans.
type collector struct {
	*httptest.Server
	mu       sync.Mutex
	spans    []*tracepb.Span
	resource map[string]string
	header   http.Header
}

func startCollector(t *testing.T) *collector {
	c := &collector{}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var data tracepb.TracesData // the same on the wire as an ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" || proto.Unmarshal(body, &data) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.header = r.Header
	for _, resource := range data.GetResourceSpans() {
		c.resource = attributes(resource.GetResource().GetAttributes())
		for _, scope := range resource.GetScopeSpans() {
			c.spans = append(c.spans, scope.GetSpans()...)
		}
	}
}

func (c *collector) named(name string) []*tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []*tracepb.Span
	for _, span := range c.spans {
		if span.GetName() == name {
			list = append(list, span)
		}
	}
	return list
}

func attributes(list []*commonpb.KeyValue) map[string]string {
	m := map[string]string{}
	for _, a := range list {
		m[a.GetKey()] = strings.Trim(strings.SplitN(a.GetValue().String(), ":", 2)[1], `"`)
	}
	return m
}

func startApp(t *testing.T, variables ...string) *App {
	t.Helper()
	app := New(testConfig(t, variables...), slog.New(slog.DiscardHandler), time.Now(), Counts)
	if err := app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.Stop() })
	return app
}

// exchange sends one message and reads its reply.
func exchange(t *testing.T, ws *websocket.Conn) {
	t.Helper()
	if err := ws.WriteMessage(websocket.TextMessage, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if got := read(t, ws); !strings.HasPrefix(got, `{"count":`) {
		t.Fatalf("got %s", got)
	}
}

const (
	callersTrace = "0af7651916cd43dd8448eb211c80319c"
	callersSpan  = "b7ad6b7169203331"
	traceparent  = "00-" + callersTrace + "-" + callersSpan + "-01"
	sessionID    = "3f2b8c1e-9d4a-4e6b-8f7a-1c2d3e4f5a6b"
)

// handshake connects with a traceparent; an error is a refused one.
func handshake(t *testing.T, app *App, query string) (*websocket.Conn, error) {
	t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{"baton.v1"}}
	ws, response, err := dialer.DialContext(t.Context(), "ws://"+app.Address()+"/ws/chat/"+query, http.Header{"Traceparent": {traceparent}})
	if response != nil {
		_ = response.Body.Close()
	}
	if err == nil {
		t.Cleanup(func() { _ = ws.Close() })
		read(t, ws) // the session message
	}
	return ws, err
}

func TestAHandshakesTraceIsJoinedToItsCallers(t *testing.T) {
	c := startCollector(t)
	app := startApp(t, "OTEL_EXPORTER_OTLP_ENDPOINT", c.URL, "OTEL_EXPORTER_OTLP_HEADERS", "x-key=k%20v", "COLOR", "green")
	ws, err := handshake(t, app, "?session_id="+sessionID)
	if err != nil {
		t.Fatal(err)
	}
	exchange(t, ws)
	go func() { closeCode(ws); _ = ws.Close() }()
	if err := app.Stop(); err != nil {
		t.Fatal(err)
	}

	handshakes, claims, commits, drains := c.named("handshake"), c.named("claim"), c.named("commit"), c.named("drain")
	if len(handshakes) != 1 || len(claims) != 1 || len(commits) == 0 || len(drains) != 1 {
		t.Fatalf("%d handshakes, %d claims, %d commits, %d drains", len(handshakes), len(claims), len(commits), len(drains))
	}
	h, claim := handshakes[0], claims[0]
	if hex.EncodeToString(h.GetTraceId()) != callersTrace || hex.EncodeToString(h.GetParentSpanId()) != callersSpan {
		t.Errorf("the handshake is not the child of its traceparent: %v", h)
	}
	if string(claim.GetTraceId()) != string(h.GetTraceId()) || string(claim.GetParentSpanId()) != string(h.GetSpanId()) {
		t.Errorf("the claim is not the handshake's child: %v", claim)
	}
	assertAttributes(t, h, "baton.resumed", "false", "baton.subprotocol", "baton.v1", "baton.session_id", sessionID[:8], "http.response.status_code", "101")
	assertAttributes(t, commits[0], "baton.commit.size", "1", "baton.commit.attempts", "1")
	assertAttributes(t, drains[0], "baton.connections", "1", "baton.cut", "0")
	if len(commits[0].GetParentSpanId()) != 0 || commits[0].GetEndTimeUnixNano() < commits[0].GetStartTimeUnixNano() {
		t.Errorf("commit: %v", commits[0])
	}
	for name, want := range map[string]string{"service.name": "baton", "service.version": version, "service.instance.id": app.id.Instance, "deployment.name": "green"} {
		if got := c.resource[name]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := c.header.Get("X-Key"); got != "k v" {
		t.Errorf("x-key: %q", got)
	}
	for _, span := range c.spans {
		if text := span.String(); strings.Contains(text, sessionID) || strings.Contains(text, "127.0.0.1") {
			t.Errorf("a session's id or an address in a span: %s", text)
		}
	}
}

func TestSpansTellHowItEnded(t *testing.T) {
	c := startCollector(t)
	app := startApp(t, "OTEL_EXPORTER_OTLP_ENDPOINT", c.URL, "OTEL_SERVICE_NAME", "chat")
	if _, err := handshake(t, app, "?session_id=nonsense"); err == nil {
		t.Fatal("a handshake with a bad id was taken")
	}
	// What a lost Redis and a timeout tell to those that are told of it.
	_, _ = app.tracing.Claims(noStore{}).Claim(t.Context(), session.Owner{Session: sessionID})
	app.tracing.Batches(app.metrics).ObserveBatch(3, time.Second, 2, context.DeadlineExceeded)
	if err := app.Stop(); err != nil {
		t.Fatal(err)
	}
	refused, claims, commits := c.named("handshake"), c.named("claim"), c.named("commit")
	if len(refused) != 1 || len(claims) != 1 || len(commits) != 1 {
		t.Fatalf("%d handshakes, %d claims, %d commits", len(refused), len(claims), len(commits))
	}
	assertAttributes(t, refused[0], "baton.refused", "session_id_invalid", "http.response.status_code", "400")
	assertAttributes(t, claims[0], "error.type", "unreachable", "baton.session_id", sessionID[:8])
	assertAttributes(t, commits[0], "error.type", "timeout", "baton.commit.size", "3", "baton.commit.attempts", "2")
	for span, want := range map[*tracepb.Span]tracepb.Status_StatusCode{
		refused[0]: tracepb.Status_STATUS_CODE_UNSET, // the caller's mistake
		claims[0]:  tracepb.Status_STATUS_CODE_ERROR,
		commits[0]: tracepb.Status_STATUS_CODE_ERROR,
	} {
		if got := span.GetStatus().GetCode(); got != want {
			t.Errorf("%s: status %v, want %v", span.GetName(), got, want)
		}
	}
	if took := commits[0].GetEndTimeUnixNano() - commits[0].GetStartTimeUnixNano(); took < uint64(time.Second) {
		t.Errorf("the commit's span is %v long", time.Duration(took))
	}
	if c.resource["service.name"] != "chat" {
		t.Errorf("resource %v", c.resource)
	}
}

type noStore struct{}

func (noStore) Claim(context.Context, session.Owner) (session.State, error) {
	return session.State{}, errors.Join(session.ErrUnavailable, errors.New("dial tcp 127.0.0.1:1: refused"))
}

func TestTracingIsOffByDefault(t *testing.T) {
	c := startCollector(t)
	for name, variables := range map[string][]string{
		"no endpoint": nil,
		"disabled":    {"OTEL_EXPORTER_OTLP_ENDPOINT", c.URL, "OTEL_SDK_DISABLED", "true"},
	} {
		app := startApp(t, variables...)
		if app.tracing != nil {
			t.Errorf("%s: tracing is on", name)
		}
		if app.tracing.Batches(app.metrics) != session.Observer(app.metrics) || app.tracing.Claims(app.store) != session.Claimer(app.store) {
			t.Errorf("%s: something stands between the messages and the store", name)
		}
		if n := testing.AllocsPerRun(100, func() { app.tracing.Batches(app.metrics).ObserveBatch(1, time.Millisecond, 1, nil) }); n != 0 {
			t.Errorf("%s: a pipeline allocates %v times", name, n)
		}
		exchange(t, dial(t, app, ""))
		_ = app.Stop()
	}
	if len(c.spans) != 0 {
		t.Errorf("%d spans", len(c.spans))
	}
}

// A collector that takes connections and never answers is the worst one.
func TestADeadCollectorDelaysNoMessageAndNoStop(t *testing.T) {
	silent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	for name, address := range map[string]string{"silent": silent.Addr().String(), "absent": "127.0.0.1:1"} {
		t.Run(name, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent(),
				goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
				goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
			t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
			t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "16")
			t.Setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "8")
			app := startApp(t, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+address, "DRAIN_TIMEOUT", "30s")
			ws := dial(t, app, "")
			began := time.Now()
			for range 200 {
				exchange(t, ws)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("200 messages took %v", took)
			}
			_ = ws.Close()
			began = time.Now()
			if err := app.Stop(); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("the stop took %v", took)
			}
		})
	}
}

// assertAttributes takes names and values.
func assertAttributes(t *testing.T, span *tracepb.Span, want ...string) {
	t.Helper()
	got := attributes(span.GetAttributes())
	for i := 0; i < len(want); i += 2 {
		if got[want[i]] != want[i+1] {
			t.Errorf("%s: %s is %q, want %q", span.GetName(), want[i], got[want[i]], want[i+1])
		}
	}
}
