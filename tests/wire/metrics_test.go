package wire

import (
	"strings"
	"testing"
	"time"

	"baton/tests/harness"
)

func TestMetricsAgreeWithWhatHappened(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"HEARTBEAT_INTERVAL": "300ms"})
	p := s.Dial(harness.Handshake{Session: sessionA})
	s.WaitMetric(1, "websocket_active_connections")
	const messages = 25
	for range messages {
		p.Say("m")
		for p.Object()["type"] == "heartbeat" {
		}
	}
	s.WaitMetric(messages, "websocket_messages_total")
	s.WaitMetric(messages, "websocket_message_duration_seconds_count")
	newer := s.Dial(harness.Handshake{Session: sessionA})
	s.WaitMetric(2, "websocket_connections_total")
	s.WaitMetric(1, "websocket_resumes_total")
	p.ClosedEventually(4001)
	s.WaitMetric(1, "websocket_fenced_total")
	s.WaitMetric(1, "websocket_closes_total", "code", "4001")
	newer.Close()
	s.WaitMetric(1, "websocket_closes_total", "code", "1006")
	polite := s.Dial(harness.Handshake{})
	polite.Send(harness.Close(1000, ""))
	polite.ClosedEventually(1000)
	s.WaitMetric(1, "websocket_closes_total", "code", "1000")
	odd := s.Dial(harness.Handshake{})
	odd.Send(harness.Close(4321, ""))
	odd.ClosedEventually(4321)
	s.WaitMetric(1, "websocket_closes_total", "code", "other")
	s.WaitMetric(0, "websocket_active_connections")
	s.WaitMetric(4, "websocket_connections_total")
	all := s.Metrics()
	if got := all.Value("websocket_messages_total"); got != messages {
		t.Errorf("websocket_messages_total is %v, %d were acknowledged", got, messages)
	}
	if all.Value("websocket_heartbeat_fanout_seconds_count") == 0 || all.Value("session_commit_duration_seconds_count") == 0 ||
		all.Value("session_commit_batch_size_sum") < messages {
		t.Error("no heartbeat or commit was measured")
	}
}

func TestMetricsExistFromTheStart(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"COLOR": "green"})
	all := s.Metrics()
	for _, name := range []string{
		"websocket_active_connections", "websocket_messages_total", "app_startup_time_seconds", "app_shutdown_time_seconds",
		"websocket_connections_total", "websocket_resumes_total", "websocket_fenced_total", "websocket_message_duration_seconds_count",
		"session_commit_batch_size_count", "session_commit_duration_seconds_count", "websocket_heartbeat_fanout_seconds_count",
		"websocket_draining", "go_goroutines", "process_resident_memory_bytes", "process_open_fds",
	} {
		if !all.Has(name) {
			t.Errorf("no %s", name)
		}
	}
	for _, code := range []string{"1000", "1001", "1002", "1003", "1006", "1007", "1008", "1009", "1013", "4000", "4001", "4002", "other"} {
		if !all.Has("websocket_closes_total", "code", code) {
			t.Errorf("no websocket_closes_total{code=%q}", code)
		}
	}
	for _, reason := range []string{
		"protocol_error", "binary_message", "invalid_utf8", "message_too_big", "message_rate", "commit_timeout", "slow_reader",
		"idle_timeout", "stale_attempt", "session_id_invalid", "attempt_invalid", "origin_not_allowed", "upgrade_required",
		"session_token_invalid", "session_token_expired", "rate_limited", "too_many_connections", "at_capacity", "draining", "session_store_unavailable", "panic",
	} {
		if !all.Has("websocket_errors_total", "reason", reason) {
			t.Errorf("no websocket_errors_total{reason=%q}", reason)
		}
	}
	if !all.Has("app_build_info", "color", "green") || all.Value("app_build_info") != 1 {
		t.Error("app_build_info")
	}
	if startup := all.Value("app_startup_time_seconds"); startup <= 0 || startup > 5 {
		t.Errorf("app_startup_time_seconds is %v", startup)
	}
}

func TestMetricsCountRefusalsByReason(t *testing.T) {
	t.Parallel()
	full := harness.Start(t, harness.Env{"MAX_CONNECTIONS": "1"})
	full.Dial(harness.Handshake{})
	full.Refused(harness.Handshake{})
	full.WaitMetric(1, "websocket_errors_total", "reason", "at_capacity")
	s := harness.Start(t, nil)
	for reason, h := range map[string]harness.Handshake{
		"session_id_invalid": {Session: "x"},
		"attempt_invalid":    claim(sessionA, "x"),
		"origin_not_allowed": {Header: []string{"Origin: https://evil.example"}},
		"upgrade_required":   {Header: []string{"Upgrade:", "Connection:"}},
	} {
		for range 2 {
			if answer := s.Refused(h); answer.ErrorCode(t) != reason {
				t.Errorf("%s: %s", reason, answer.Body)
			}
		}
		s.WaitMetric(2, "websocket_errors_total", "reason", reason)
	}
	roomy := harness.Start(t, nil)
	roomy.Dial(claim(sessionA, "5")).Hello()
	roomy.Refused(claim(sessionA, "5"))
	roomy.WaitMetric(1, "websocket_errors_total", "reason", "stale_attempt")
	roomy.WaitMetric(1, "websocket_connections_total")
	for reason, frame := range map[string]harness.Frame{
		"protocol_error": {Op: 3}, "binary_message": {Op: harness.OpBinary}, "invalid_utf8": harness.Text("\xff"),
		"message_too_big": {Op: harness.OpText, Length: 70000},
	} {
		p := roomy.Dial(harness.Handshake{})
		p.Send(frame)
		p.Next()
		p.Close()
		roomy.WaitMetric(1, "websocket_errors_total", "reason", reason)
	}
	if got := roomy.Metrics().Value("websocket_closes_total"); got > 4 {
		t.Errorf("%v closes of 4 connections", got)
	}
}

func TestMetricsHoldNothingUnbounded(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	s.Dial(harness.Handshake{Session: sessionA, Header: []string{"X-Forwarded-For: 203.0.113.77", "User-Agent: odd-agent"}})
	for i := range 30 {
		s.Get("/secret-path-" + itoa(i) + "?q=odd-query")
		s.Request("POST", "/healthz")
	}
	s.Request("ODDMETHOD", "/healthz")
	body := s.Get("/metrics").Body
	for _, never := range []string{sessionA, sessionA[:8], "203.0.113.77", "secret-path", "odd-query", "ODDMETHOD", "odd-agent"} {
		if strings.Contains(body, never) {
			t.Errorf("/metrics tells %q", never)
		}
	}
	if series := strings.Count(body, "\n"); series > 1500 {
		t.Errorf("%d lines", series)
	}
	if !strings.Contains(body, "http_request") {
		t.Error("no HTTP metrics")
	}
}

func TestMetricsFormats(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	text := s.Get("/metrics")
	if kind := text.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/plain") || !strings.Contains(kind, "version=0.0.4") {
		t.Errorf("Content-Type is %q", kind)
	}
	open := s.Get("/metrics", "Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5")
	if kind := open.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/openmetrics-text") || !strings.HasSuffix(open.Body, "# EOF\n") {
		t.Errorf("Content-Type is %q, the end %q", kind, open.Body[max(0, len(open.Body)-20):])
	}
}

func TestMetricsOfADrain(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"DRAIN_SPREAD": "1s"})
	var peers []*harness.Peer
	for range 4 {
		peers = append(peers, s.Dial(harness.Handshake{Sub: harness.V1}))
	}
	if got := s.Metrics().Value("websocket_draining"); got != 0 {
		t.Errorf("websocket_draining is %v", got)
	}
	s.Terminate()
	s.WaitNotReady()
	if got := s.Metrics().Value("websocket_draining"); got != 1 {
		t.Errorf("websocket_draining is %v", got)
	}
	for _, p := range peers {
		p.ClosedEventually(1001)
	}
	if code := s.Exit(t, 5*time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
