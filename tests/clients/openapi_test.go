package clients

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/gofiber/fiber/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"baton/handlers"
	"baton/middleware/admission"
	"baton/middleware/metrics"
	"baton/routes"
	"baton/tests/harness"
)

const session = "0e37df36-f698-4d1c-9f0e-0d8bde6b2f6a"

// Every route of the server is in the document, and nothing else is.
func TestOpenAPIHasTheRoutes(t *testing.T) {
	doc := open(t, "../../docs/openapi.yaml", jsonschema.Draft2020)
	app := fiber.New()
	m := metrics.New(metrics.Build{}, func() int64 { return 0 }, func() bool { return false }, func() time.Duration { return 0 })
	routes.Register(app, routes.Deps{
		Log: slog.New(slog.DiscardHandler), Metrics: m, Slots: admission.NewSlots(0, 0),
		Chat: handlers.NewChat(nil, nil, m, nil), Draining: func() bool { return false },
	})
	var served []string
	for _, route := range app.GetRoutes(true) {
		if route.Method == http.MethodHead {
			continue // Fiber's answer to GET without its body
		}
		path := strings.ReplaceAll(route.Path, ":name", "{name}")
		served = append(served, strings.ToLower(route.Method)+" "+path)
	}
	var documented []string
	for path, operations := range doc.at(t, "paths") {
		for _, method := range names(operations.(map[string]any)) {
			documented = append(documented, method+" "+path)
		}
	}
	slices.Sort(served)
	slices.Sort(documented)
	if !slices.Equal(served, documented) {
		t.Errorf("served     %v\ndocumented %v", served, documented)
	}
}

// Every answer that the document speaks of is got from a running server, and is as it says.
func TestOpenAPIHoldsForARunningServer(t *testing.T) {
	doc := open(t, "../../docs/openapi.yaml", jsonschema.Draft2020)
	t.Run("answers", func(t *testing.T) {
		for name, test := range map[string]func(*testing.T, *document){
			"operation": operation, "console": console, "handshakes": handshakes, "limits": limits, "tokens": tokens, "no store": noStore, "draining": draining,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, doc)
			})
		}
	})
	if !t.Failed() {
		doc.complete(t, promisedAnswers(t, doc))
	}
}

func promisedAnswers(t *testing.T, doc *document) (all []string) {
	for path := range doc.at(t, "paths") {
		for status := range doc.at(t, "paths", path, "get", "responses") {
			all = append(all, path+" "+status)
			content, _ := doc.at(t, "paths", path, "get", "responses", status)["content"].(map[string]any)
			for kind := range content {
				all = append(all, path+" "+status+" "+kind)
			}
		}
	}
	for _, status := range names(doc.at(t, "paths", "/ws/chat/", "get", "responses")) {
		for _, code := range refusalCodes(t, doc, status) {
			all = append(all, "/ws/chat/ "+status+" "+code)
		}
	}
	return all
}

func refusalCodes(t *testing.T, doc *document, status string) (all []string) {
	if status == "101" || status == "default" {
		return nil
	}
	code := doc.at(t, "paths", "/ws/chat/", "get", "responses", status, "content", "application/json", "schema", "properties", "error",
		"properties", "code")
	for _, value := range code["enum"].([]any) {
		all = append(all, value.(string))
	}
	return all
}

// answered holds one answer against what the document says of its path.
func answered(t *testing.T, doc *document, path string, status int, answer harness.Answer) {
	t.Helper()
	if answer.Status != status {
		t.Errorf("%s: %d %s, want %d", path, answer.Status, answer.Body, status)
		return
	}
	name := strconv.Itoa(status)
	if _, ok := doc.at(t, "paths", path, "get", "responses")[name]; !ok {
		name = "default"
	}
	at := []string{"paths", path, "get", "responses", name}
	doc.saw(path + " " + name)
	headersFit(t, doc, answer.Header, at)
	content, _ := doc.at(t, at...)["content"].(map[string]any)
	if content == nil {
		if answer.Body != "" {
			t.Errorf("%s %d: a body of %d bytes that is not documented", path, status, len(answer.Body))
		}
		return
	}
	kind, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if err != nil || content[kind] == nil {
		t.Errorf("%s %d: Content-Type %q is not documented", path, status, answer.Header.Get("Content-Type"))
		return
	}
	doc.saw(path + " " + name + " " + kind)
	var body any = answer.Body
	if kind == "application/json" {
		body = decode(t, answer.Body)
	}
	if err := doc.fault(t, body, append(at, "content", kind, "schema")...); err != nil {
		t.Errorf("%s %d: %.300q: %v", path, status, answer.Body, err)
	}
	if status >= http.StatusBadRequest && path == "/ws/chat/" {
		doc.saw(fmt.Sprintf("%s %s %s", path, name, answer.ErrorCode(t)))
	}
}

func headersFit(t *testing.T, doc *document, header http.Header, at []string) {
	t.Helper()
	documented, _ := doc.at(t, at...)["headers"].(map[string]any)
	for name := range documented {
		place := append(slices.Clone(at), "headers", name)
		value := header.Get(name)
		if value == "" {
			if required, _ := doc.at(t, place...)["required"].(bool); required {
				t.Errorf("%v: no %s", at, name)
			}
			continue
		}
		if err := doc.fault(t, value, append(place, "schema")...); err != nil {
			t.Errorf("%v: %s: %v", at, name, err)
		}
	}
}

func operation(t *testing.T, doc *document) {
	s := harness.Start(t, nil)
	for _, path := range []string{"/healthz", "/readyz", "/version", "/metrics"} {
		answered(t, doc, path, 200, s.Get(path))
		answered(t, doc, path, 405, s.Request(http.MethodPost, path))
	}
	answered(t, doc, "/metrics", 200, s.Get("/metrics", "Accept: application/openmetrics-text;version=1.0.0"))
}

func console(t *testing.T, doc *document) {
	s := harness.Start(t, nil)
	for _, name := range []string{"", "assets/baton.js", "assets/console.css", "assets/icon.svg"} {
		path := "/"
		if name != "" {
			path = "/assets/{name}"
		}
		first := s.Get("/" + name)
		answered(t, doc, path, 200, first)
		answered(t, doc, path, 304, s.Get("/"+name, "If-None-Match: "+first.Header.Get("ETag")))
		answered(t, doc, path, 405, s.Request(http.MethodPut, "/"+name))
	}
	answered(t, doc, "/assets/{name}", 404, s.Get("/assets/nothing.js"))
}

func handshakes(t *testing.T, doc *document) {
	s := harness.Start(t, nil)
	for _, h := range []harness.Handshake{{}, {Session: session, Sub: harness.V1, Attempt: "7"}, {Path: "/ws/chat", Sub: "other"}} {
		peer, answer, err := h.Open(s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		peer.Close()
		answered(t, doc, "/ws/chat/", 101, answer)
	}
	for _, refused := range []struct {
		status int
		code   string
		harness.Handshake
	}{
		{400, "session_id_invalid", harness.Handshake{Session: "me"}},
		{400, "attempt_invalid", harness.Handshake{Session: session, Attempt: "-1"}},
		{400, "handshake_invalid", harness.Handshake{Header: []string{"Sec-WebSocket-Key: x"}}},
		{403, "origin_not_allowed", harness.Handshake{Header: []string{"Origin: https://elsewhere.example"}}},
		{409, "stale_attempt", harness.Handshake{Session: session, Attempt: "7"}},
		{426, "upgrade_required", harness.Handshake{Header: []string{"Upgrade:"}}},
		{405, "method_not_allowed", harness.Handshake{Method: http.MethodPost}},
	} {
		answer := s.Refused(refused.Handshake)
		answered(t, doc, "/ws/chat/", refused.status, answer)
		if code := answer.ErrorCode(t); code != refused.code {
			t.Errorf("refused with %s, want %s", code, refused.code)
		}
	}
}

func limits(t *testing.T, doc *document) {
	full := harness.Start(t, harness.Env{"MAX_CONNECTIONS": "1"})
	full.Dial(harness.Handshake{})
	answered(t, doc, "/ws/chat/", 503, full.Refused(harness.Handshake{}))

	signed := harness.Start(t, harness.Env{"SESSION_KEYS": strings.Repeat("k", 32), "SESSION_TOKEN_TTL": "1ms"})
	answered(t, doc, "/ws/chat/", 401, signed.Refused(harness.Handshake{Session: "3f2b8c1e-9d4a-4e6b-8f7a-1c2d3e4f5a6b"}))
	_, given, err := harness.Handshake{}.Open(signed.Addr)
	if err != nil {
		t.Fatal(err)
	}
	answered(t, doc, "/ws/chat/", 101, given)
	answered(t, doc, "/ws/chat/", 401, signed.Refused(harness.Handshake{Session: given.Header.Get("X-Session-Id")}))

	crowded := harness.Start(t, harness.Env{"MAX_CONNECTIONS_PER_ADDRESS": "1", "TRUSTED_PROXIES": "none"})
	crowded.Dial(harness.Handshake{})
	answered(t, doc, "/ws/chat/", 429, crowded.Refused(harness.Handshake{}))

	limited := harness.Start(t, harness.Env{"CONNECT_RATE": "1"})
	harness.Eventually(t, patience, "a second handshake within one second", func() bool {
		_, answer, err := harness.Handshake{Session: "me"}.Open(limited.Addr)
		if err != nil || answer.Status == 400 {
			return false
		}
		answered(t, doc, "/ws/chat/", 429, answer)
		return true
	})
}

func tokens(t *testing.T, doc *document) {
	secret := []byte(strings.Repeat("s", 32))
	s := harness.Start(t, harness.Env{
		"JWT_KEYS":       `{"keys":[{"kty":"oct","k":"` + base64.RawURLEncoding.EncodeToString(secret) + `"}]}`,
		"JWT_ALGORITHMS": "HS256", "JWT_ISSUER": "i", "JWT_AUDIENCE": "a", "JWT_SESSION_CLAIM": "sid",
	})
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: secret}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, expires := range []time.Duration{time.Hour, -time.Hour} {
		claims := map[string]any{"iss": "i", "aud": "a", "sid": session, "exp": time.Now().Add(expires).Unix()}
		token, err := jwt.Signed(signer).Claims(claims).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		status := 401
		if expires > 0 {
			status = 403
		}
		shown := []string{"Authorization: Bearer " + token}
		answered(t, doc, "/ws/chat/", status, s.Refused(harness.Handshake{Session: "7c9e6679-7425-40de-944b-e07fc1f90ae7", Header: shown}))
	}
	answered(t, doc, "/ws/chat/", 401, s.Refused(harness.Handshake{}))
	answered(t, doc, "/ws/chat/", 401, s.Refused(harness.Handshake{Header: []string{"Authorization: Bearer x"}}))
}

func noStore(t *testing.T, doc *document) {
	nobody := fmt.Sprintf("redis://127.0.0.1:%d/0", harness.FreePort(t))
	s := harness.StartUnready(t, harness.Env{"REDIS_URL": nobody, "COMMIT_TIMEOUT": "200ms"})
	answered(t, doc, "/readyz", 503, s.Get("/readyz"))
	answered(t, doc, "/ws/chat/", 503, s.Refused(harness.Handshake{}))
}

func draining(t *testing.T, doc *document) {
	s := harness.Start(t, harness.Env{"DRAIN_SPREAD": "10s", "DRAIN_TIMEOUT": "15s"})
	s.Dial(harness.Handshake{}).Silent() // a plain one stays to the end of the spread
	s.Terminate()
	s.WaitNotReady()
	answered(t, doc, "/readyz", 503, s.Get("/readyz"))
	answered(t, doc, "/ws/chat/", 503, s.Refused(harness.Handshake{}))
}
