package wire

import (
	"testing"
	"time"
)

func TestParseFrame(t *testing.T) {
	for data, want := range map[string]Frame{
		`{"count": 7}`:                          {Count: 7},
		`{"count":7}`:                           {Count: 7},
		` { "count" : 7 } `:                     {Count: 7},
		`{"count":0}`:                           {},
		`{"type":"shutdown"}`:                   {Type: "shutdown"},
		`{"type":"line","count":"many","ts":1}`: {Type: "line"},
		`{"type":"heartbeat","ts":"t"}`:         {Type: TypeHeartbeat, TS: "t"},
		`{"type":"reconnect","within_ms":1500}`: {Type: TypeReconnect, WithinMS: 1500},
		`{"type":"session","session_id":"s","count":3,"resumed":true,"color":"green","instance":"i"}`: {
			Type: TypeSession, SessionID: "s", Count: 3, Resumed: true, Color: "green", Instance: "i",
		},
	} {
		got, err := ParseFrame([]byte(data))
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", data, got, err)
		}
	}
	for _, data := range []string{``, `{}`, `{"count":}`, `{"count":-1}`, `{"count":01}`, `{"count": }`, `{"type":"session"}`, `[]`, `{"count":7}x`} {
		if got, err := ParseFrame([]byte(data)); err == nil {
			t.Errorf("%q was read as %+v", data, got)
		}
	}
}

func FuzzParseFrame(f *testing.F) {
	f.Add([]byte(`{"count": 7}`))
	f.Add([]byte(`{"type":"session","count":3}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		count, ok := bareReply(data)
		frame, err := ParseFrame(data)
		if ok && (err != nil || frame.Count != count || frame.Type != TypeReply) {
			t.Errorf("%q: %+v, %v", data, frame, err)
		}
	})
}

func TestBackoff(t *testing.T) {
	b := Backoff{Min: 100 * time.Millisecond, Max: time.Second}
	for _, ceiling := range []time.Duration{100, 200, 400, 800, 1000, 1000} {
		if wait := b.Wait(nil); wait < 0 || wait >= ceiling*time.Millisecond {
			t.Errorf("waits %v, want less than %d ms", wait, ceiling)
		}
	}
	b.Reset()
	if wait := b.Wait(&RefusedError{RetryAfter: 3 * time.Second}); wait < 3*time.Second || wait >= 3100*time.Millisecond {
		t.Errorf("with Retry-After 3: waits %v", wait)
	}
	if wait := b.Wait(&RefusedError{RetryAfter: 24 * time.Hour}); wait > retryAfterMax+time.Second {
		t.Errorf("with Retry-After of a day: waits %v", wait)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-1": 0, "soon": 0,
		"Fri, 02 Jan 2026 03:04:35 GMT": 30 * time.Second,
		"Fri, 02 Jan 2026 03:04:00 GMT": 0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

func TestAddress(t *testing.T) {
	got, err := address("http://h/green/ws/chat/?token=a&attempt=1#x", "s", 9)
	if err != nil || got != "ws://h/green/ws/chat/?attempt=9&session_id=s&token=a" {
		t.Errorf("%s, %v", got, err)
	}
	for _, bad := range []string{"", "ftp://h/", "ws:///x", "::"} {
		if got, err := address(bad, "", 0); err == nil {
			t.Errorf("%q became %q", bad, got)
		}
	}
}
