package console

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
)

func ask(t *testing.T, target string, header http.Header) (*http.Response, string) {
	t.Helper()
	app := fiber.New()
	Register(app)
	request := httptest.NewRequest(http.MethodGet, target, nil)
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := app.Test(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func TestServesThePageAndItsFiles(t *testing.T) {
	for target, contentType := range map[string]string{
		"/":                    "text/html; charset=utf-8",
		"/?session_id=x":       "text/html; charset=utf-8",
		"/assets/console.js":   "text/javascript; charset=utf-8",
		"/assets/baton.js":     "text/javascript; charset=utf-8",
		"/assets/console.css":  "text/css; charset=utf-8",
		"/assets/icon.svg":     "image/svg+xml",
		"/assets/timeline.js":  "text/javascript; charset=utf-8",
		"/assets/nothing.js":   "",
		"/assets/index.html":   "",
		"/assets/":             "",
		"/assets/../go.mod":    "",
		"/assets/%2e%2e/x.go":  "",
		"/assets/static/x.css": "",
	} {
		response, body := ask(t, target, nil)
		if contentType == "" {
			if response.StatusCode != fiber.StatusNotFound {
				t.Errorf("%s: %d, want 404", target, response.StatusCode)
			}
			continue
		}
		if response.StatusCode != fiber.StatusOK || body == "" {
			t.Errorf("%s: %d with %d bytes", target, response.StatusCode, len(body))
		}
		if got := response.Header.Get(fiber.HeaderContentType); got != contentType {
			t.Errorf("%s: Content-Type %q, want %q", target, got, contentType)
		}
	}
}

func TestSendsSecurityHeadersWithEveryFile(t *testing.T) {
	for _, target := range []string{"/", "/assets/console.js", "/assets/icon.svg"} {
		response, _ := ask(t, target, nil)
		policy := response.Header.Get(fiber.HeaderContentSecurityPolicy)
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: the policy %q lacks %s", target, policy, part)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy allows unsafe things: %q", target, policy)
		}
		for name, want := range map[string]string{
			fiber.HeaderXContentTypeOptions: "nosniff",
			fiber.HeaderXFrameOptions:       "DENY",
			fiber.HeaderReferrerPolicy:      "no-referrer",
		} {
			if got := response.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", target, name, got, want)
			}
		}
	}
}

func TestAnswersNotModifiedToTheSameETag(t *testing.T) {
	first, _ := ask(t, "/assets/baton.js", nil)
	etag := first.Header.Get(fiber.HeaderETag)
	second, body := ask(t, "/assets/baton.js", http.Header{"If-None-Match": {etag}})
	if second.StatusCode != fiber.StatusNotModified || body != "" {
		t.Errorf("the same ETag: %d with %d bytes, want 304 without", second.StatusCode, len(body))
	}
	third, _ := ask(t, "/assets/baton.js", http.Header{"If-None-Match": {`"other"`}})
	if third.StatusCode != fiber.StatusOK {
		t.Errorf("another ETag: %d, want 200", third.StatusCode)
	}
}

// The page must work behind a prefix, and under its own policy.
func TestPageIsRelativeAndHasNothingInline(t *testing.T) {
	_, page := ask(t, "/", nil)
	for _, bad := range []string{`(href|src)="(/|https?:)`, ` style="`, ` on[a-z]+="`, `<style`, `<script[^>]*>[^<]`} {
		if found := regexp.MustCompile(bad).FindString(page); found != "" {
			t.Errorf("the page has %q", found)
		}
	}
	for _, match := range regexp.MustCompile(`(?:href|src)="(assets/[^"]+)"`).FindAllStringSubmatch(page, -1) {
		if response, _ := ask(t, "/"+match[1], nil); response.StatusCode != fiber.StatusOK {
			t.Errorf("the page asks for %s: %d", match[1], response.StatusCode)
		}
	}
}
