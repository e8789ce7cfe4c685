package dashboards

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"baton/tests/harness"
)

// collector keeps what is sent to it by OTLP over HTTP, by the service that sent it.
type collector struct {
	mu    sync.Mutex
	spans map[string][]*tracepb.Span
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Content-Encoding") == "gzip" { // as Traefik sends
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = unpacked
	}
	body, _ := io.ReadAll(r.Body)
	var data tracepb.TracesData
	if err := proto.Unmarshal(body, &data); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range data.GetResourceSpans() {
		var service string
		for _, a := range resource.GetResource().GetAttributes() {
			if a.GetKey() == "service.name" {
				service = a.GetValue().GetStringValue()
			}
		}
		for _, scope := range resource.GetScopeSpans() {
			c.spans[service] = append(c.spans[service], scope.GetSpans()...)
		}
	}
}

// find returns a service's first span that is wanted.
func (c *collector) find(service string, wanted func(*tracepb.Span) bool) *tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, span := range c.spans[service] {
		if wanted(span) {
			return span
		}
	}
	return nil
}

// A handshake through the real front door, with its tracing turned on as traefik.yml says: one trace from the door to
// the claim in Redis.
func TestTheFrontDoorsTraceGoesOnInTheColor(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Traefik")
	}
	t.Parallel()
	traefik, err := exec.LookPath("traefik")
	if err != nil {
		harness.Skip(t, "traefik is not installed")
	}
	spans := &collector{spans: map[string][]*tracepb.Span{}}
	endpoint := httptest.NewServer(spans)
	defer endpoint.Close()
	server := harness.Start(t, harness.Env{"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint.URL, "OTEL_BSP_SCHEDULE_DELAY": "100"})
	front := tracingFront(t, traefik, endpoint.URL, server.Addr)
	peer, answer, err := harness.Handshake{}.Open(front)
	if err != nil || peer == nil {
		t.Fatalf("no connection: %d %v", answer.Status, err)
	}
	peer.Close() // a WebSocket's span at the front door ends with it

	var handshake, door *tracepb.Span
	harness.Eventually(t, startWithin, "the handshake's span, below one of the front door's", func() bool {
		handshake = spans.find("baton", func(s *tracepb.Span) bool { return s.GetName() == "handshake" })
		if handshake != nil {
			door = spans.find("traefik", func(s *tracepb.Span) bool { return bytes.Equal(s.GetSpanId(), handshake.GetParentSpanId()) })
		}
		return door != nil
	})
	root := spans.find("traefik", func(s *tracepb.Span) bool {
		return len(s.GetParentSpanId()) == 0 && bytes.Equal(s.GetTraceId(), handshake.GetTraceId())
	})
	claim := spans.find("baton", func(s *tracepb.Span) bool { return bytes.Equal(s.GetParentSpanId(), handshake.GetSpanId()) })
	if root == nil || claim == nil || !bytes.Equal(claim.GetTraceId(), root.GetTraceId()) {
		t.Errorf("not one trace:\nroot %v\ndoor %v\nhandshake %v\nclaim %v", root, door, handshake, claim)
	}
}

// tracingFront starts the front door before one server, with every request traced, and returns its address.
func tracingFront(t *testing.T, traefik, collector, server string) string {
	t.Helper()
	dir := t.TempDir()
	front := fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))
	rewrite(t, "../../docker/traefik/traefik.yml", filepath.Join(dir, "traefik.yml"),
		`":80"`, front, `":8082"`, fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t)), "/etc/traefik/dynamic", filepath.Join(dir, "dynamic"),
		"# tracing:", "tracing:", "#   serviceName:", "  serviceName:", "#   sampleRate: 0.01", "  sampleRate: 1",
		"#   otlp:", "  otlp:", "#     http:", "    http:", "#       endpoint: http://collector:4318", "      endpoint: "+collector)
	rewrite(t, "../../docker/traefik/dynamic.yml.tmpl", filepath.Join(dir, "dynamic", "baton.yml"),
		"{{ACTIVE}}", "blue", "{{ADMIN_CIDRS}}", `"127.0.0.1/32"`,
		"{{BLUE_SERVERS}}", `[{url: "http://`+server+`"}]`, "{{GREEN_SERVERS}}", "[]")
	harness.Run(t, harness.Command{Path: traefik, Args: []string{"--configFile=" + filepath.Join(dir, "traefik.yml")}, Env: append(os.Environ(), "OTEL_BSP_SCHEDULE_DELAY=100")})
	harness.Eventually(t, startWithin, "Traefik leads to the color", func() bool { return answers("http://" + front + "/readyz") })
	return front
}
