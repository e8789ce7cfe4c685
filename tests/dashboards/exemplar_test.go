package dashboards

import (
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"baton/tests/harness"
)

// With tracing on, Prometheus has the traces of commits beside their times.
func TestCommitsHaveExemplars(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Prometheus")
	}
	t.Parallel()
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer collector.Close()
	server := harness.Start(t, harness.Env{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL})
	p := startPrometheus(t, map[string][]string{"app_blue": {server.Addr}}, rulesFolder)
	peer := server.Dial(harness.Handshake{})
	defer peer.Close()
	peer.Send(harness.Text("one"))
	var answer struct {
		Data []struct {
			Exemplars []struct{ Labels map[string]string }
		}
	}
	harness.Eventually(t, startWithin, "the commit's exemplar", func() bool {
		p.get(t, "/api/v1/query_exemplars?query=session_commit_duration_seconds_bucket&start=0&end="+url.QueryEscape("9999999999"), &answer)
		return len(answer.Data) > 0
	})
	id := answer.Data[0].Exemplars[0].Labels["trace_id"]
	if raw, err := hex.DecodeString(id); err != nil || len(raw) != 16 {
		t.Errorf("trace_id is %q", id)
	}
}
