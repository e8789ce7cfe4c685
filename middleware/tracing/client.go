package tracing

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

const (
	exportTimeout  = 10 * time.Second // OTLP's default
	maxAnswerBytes = 64 << 10
	tracesPath     = "/v1/traces"
)

// client sends spans as OTLP over HTTP. OpenTelemetry's own does the same, but
// brings gRPC with it: 14 MB for a protocol that is not spoken here.
type client struct {
	url     string
	headers map[string]string
	http    *http.Client
	log     *slog.Logger

	living  context.Context // ends with abort, and every export with it
	abort   context.CancelFunc
	failing atomic.Bool // the last export failed
}

func newClient(config Config) *client {
	c := &client{
		url:     strings.TrimSuffix(config.Endpoint, "/") + tracesPath,
		headers: config.Headers,
		log:     config.Log,
		http: &http.Client{
			Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true},
			// The headers are for the collector alone.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	c.living, c.abort = context.WithCancel(context.Background())
	return c
}

// Start implements otlptrace.Client.
func (c *client) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client.
func (c *client) Stop(context.Context) error {
	c.abort()
	c.http.CloseIdleConnections()
	return nil
}

// UploadTraces implements otlptrace.Client. A failure costs these spans and
// nothing else; it is told once, until an export succeeds again.
func (c *client) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	err := c.send(ctx, spans)
	if failed := err != nil; c.failing.Swap(failed) != failed {
		if failed {
			c.log.Warn("traces are lost: the collector does not take them", "error", err.Error())
		} else {
			c.log.Info("the collector takes traces again")
		}
	}
	return nil
}

func (c *client) send(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	ctx, cancel := context.WithTimeout(ctx, exportTimeout)
	defer cancel()
	defer context.AfterFunc(c.living, cancel)()
	// On the wire the same as an ExportTraceServiceRequest, whose package needs gRPC.
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, value := range c.headers {
		request.Header.Set(name, value)
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswerBytes)) // so that the connection is used again
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("the collector answered %s", response.Status)
	}
	return nil
}
