package frontdoor

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"go.uber.org/goleak"
)

const waitLimit = 5 * time.Second

func TestRoutesToTheActiveColorAndStripsPrefixes(t *testing.T) {
	blue, green := newColor(t, "blue"), newColor(t, "green")
	door := newDoor(t, dynamic("blue", "127.0.0.0/8", blue.URL, green.URL))

	for path, want := range map[string]string{
		"/":                "blue / 127.0.0.1",
		"/version?x=1":     "blue /version?x=1 127.0.0.1",
		"/blue":            "blue / 127.0.0.1",
		"/green/":          "green / 127.0.0.1",
		"/green/ws/chat/":  "green /ws/chat/ 127.0.0.1",
		"/greenhouse":      "blue /greenhouse 127.0.0.1",
		"/metrics":         "blue /metrics 127.0.0.1",
		"/x/../green/path": "green /path 127.0.0.1",
	} {
		status, body, header := get(t, door.URL+path)
		if status != http.StatusOK || body != want {
			t.Errorf("GET %s: %d %q, want %q", path, status, body, want)
		}
		if header.Get("X-Content-Type-Options") != "nosniff" || header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("GET %s: security headers are missing: %v", path, header)
		}
	}
}

func TestAdminPathsAreForAdminAddressesOnly(t *testing.T) {
	blue := newColor(t, "blue")
	door := newDoor(t, dynamic("blue", "192.0.2.0/24", blue.URL, blue.URL))

	for _, path := range []string{"/metrics", "/METRICS", "//metrics", "/%6Detrics", "/x/../metrics", "/./metrics", "/metrics/x", "/blue", "/blue/", "/green/x"} {
		if status, body, _ := get(t, door.URL+path); status != http.StatusForbidden {
			t.Errorf("GET %s: %d %q, want 403", path, status, body)
		}
	}
	if status, _, _ := get(t, door.URL+"/x/..%2fmetrics"); status != http.StatusBadRequest {
		t.Errorf("an encoded slash: %d, want 400", status)
	}
	if status, _, _ := get(t, door.URL+"/"); status != http.StatusOK {
		t.Errorf("the public path: %d, want 200", status)
	}
}

func TestWhatAClientClaimsAboutItselfIsDropped(t *testing.T) {
	blue := newColor(t, "blue")
	door := newDoor(t, dynamic("blue", "127.0.0.0/8", blue.URL, blue.URL))

	request, _ := http.NewRequest(http.MethodGet, door.URL+"/", nil)
	request.Header.Set("X-Forwarded-For", "203.0.113.9")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); string(body) != "blue / 127.0.0.1" {
		t.Errorf("the server saw %q", body)
	}
}

func TestReplicasTakeTurnsAndADeadOneIsPassedOver(t *testing.T) {
	one, two := newColor(t, "one"), newColor(t, "two")
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	door := newDoor(t, dynamic("blue", "127.0.0.0/8", one.URL+" "+dead.URL+" "+two.URL, one.URL))

	seen := map[string]int{}
	for range 30 {
		status, body, _ := get(t, door.URL+"/")
		if status != http.StatusOK {
			t.Fatalf("status %d: %s", status, body)
		}
		seen[strings.Fields(body)[0]]++
	}
	if seen["one"] < 10 || seen["two"] < 10 {
		t.Errorf("the replicas got %v of 30 requests", seen)
	}
}

func TestAColorThatDoesNotRun(t *testing.T) {
	blue := newColor(t, "blue")
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	door := newDoor(t, dynamic("blue", "127.0.0.0/8", blue.URL, ""))
	if status, _, _ := get(t, door.URL+"/green/"); status != http.StatusServiceUnavailable {
		t.Errorf("without servers: %d, want 503", status)
	}
	door = newDoor(t, dynamic("blue", "127.0.0.0/8", blue.URL, dead.URL))
	if status, _, _ := get(t, door.URL+"/green/"); status != http.StatusBadGateway {
		t.Errorf("with a dead server: %d, want 502", status)
	}
}

func TestASwitchMovesNewConnectionsAndLeavesLiveSockets(t *testing.T) {
	blue, green := newColor(t, "blue"), newColor(t, "green")
	door := newDoor(t, dynamic("blue", "127.0.0.0/8", blue.URL, green.URL))
	old := dial(t, door.URL)
	if said := echo(t, old, "a"); said != "blue a" {
		t.Fatalf("the first socket: %q", said)
	}

	door.write(t, dynamic("green", "127.0.0.0/8", blue.URL, green.URL))
	door.waitFor(t, "green")

	if said := echo(t, dial(t, door.URL), "b"); said != "green b" {
		t.Errorf("a socket after the switch: %q", said)
	}
	if said := echo(t, old, "c"); said != "blue c" {
		t.Errorf("the live socket: %q", said)
	}
}

func TestABadFileIsSkipped(t *testing.T) {
	blue, green := newColor(t, "blue"), newColor(t, "green")
	good := dynamic("blue", "127.0.0.0/8", blue.URL, green.URL)
	for name, content := range map[string]string{
		"empty":           "",
		"blank":           " \n",
		"half":            good[:len(good)/2],
		"no yaml":         "http: [",
		"unknown rule":    strings.Replace(good, "PathPrefix(`/`)", "Host(`x`)", 1),
		"unknown service": strings.Replace(good, "name: blue", "name: red", 1),
		"bad range":       strings.Replace(good, "127.0.0.0/8", "nonsense", 1),
		"bad server":      strings.Replace(good, "http://", "ftp://", 1),
	} {
		t.Run(name, func(t *testing.T) {
			door := newDoor(t, good)
			door.write(t, content)
			door.waitReread(t)
			if status, body, _ := get(t, door.URL+"/"); status != http.StatusOK || !strings.HasPrefix(body, "blue") {
				t.Errorf("after the bad file: %d %q", status, body)
			}
			door.write(t, dynamic("green", "127.0.0.0/8", blue.URL, green.URL))
			door.waitFor(t, "green")
		})
	}
}

func TestADirectoryOfFiles(t *testing.T) {
	blue := newColor(t, "blue")
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "baton.yml"), dynamic("blue", "127.0.0.0/8", blue.URL, ""))
	writeFile(t, filepath.Join(dir, ".baton.yml.tmp"), "half a file")
	if _, err := New(dir, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if _, err := New(filepath.Join(dir, "absent.yml"), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("an absent file was taken")
	}
}

// color is a server that says its name, the path it saw and for whom; on
// /ws it echoes.
func newColor(t *testing.T, name string) *httptest.Server {
	t.Helper()
	upgrader := websocket.Upgrader{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !websocket.IsWebSocketUpgrade(r) {
			_, _ = fmt.Fprintf(w, "%s %s %s", name, r.URL.RequestURI(), r.Header.Get("X-Forwarded-For"))
			return
		}
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		for {
			kind, text, err := conn.ReadMessage()
			if err != nil {
				return
			}
			_ = conn.WriteMessage(kind, []byte(name+" "+string(text)))
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// doorServer is a front door on port 0 with its dynamic file.
type doorServer struct {
	*httptest.Server
	door *Door
	file string
}

func newDoor(t *testing.T, content string) *doorServer {
	t.Helper()
	ignore := goleak.IgnoreCurrent()
	file := filepath.Join(t.TempDir(), "baton.yml")
	writeFile(t, file, content)
	door, err := New(file, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() { door.Watch(ctx) })
	server := httptest.NewServer(door)
	t.Cleanup(func() {
		server.Close()
		cancel()
		watching.Wait()
		http.DefaultClient.CloseIdleConnections()
		if err := goleak.Find(ignore, goleak.IgnoreAnyFunction("net/http/httputil.switchProtocolCopier.copyFromBackend"),
			goleak.IgnoreAnyFunction("net/http/httputil.(*ReverseProxy).ServeHTTP"), goleak.IgnoreAnyFunction("net/http.(*conn).serve")); err != nil {
			t.Error(err)
		}
	})
	return &doorServer{Server: server, door: door, file: file}
}

// write replaces the file as the scripts do: by a rename.
func (d *doorServer) write(t *testing.T, content string) {
	t.Helper()
	writeFile(t, d.file+".tmp", content)
	if err := os.Rename(d.file+".tmp", d.file); err != nil {
		t.Fatal(err)
	}
}

func (d *doorServer) waitFor(t *testing.T, color string) {
	t.Helper()
	eventually(t, "the front door routes to "+color, func() bool {
		_, body, _ := get(t, d.URL+"/")
		return strings.HasPrefix(body, color)
	})
}

// waitReread outlasts some polls: long enough that the bad file was met.
func (d *doorServer) waitReread(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(4 * pollInterval)
	eventually(t, "polls", func() bool { return time.Now().After(deadline) })
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(waitLimit)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", waitLimit, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, url string) (int, string, http.Header) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body), response.Header
}

func dial(t *testing.T, url string) *websocket.Conn {
	t.Helper()
	conn, response, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(url, "http")+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func echo(t *testing.T, conn *websocket.Conn, text string) string {
	t.Helper()
	if err := conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(waitLimit))
	_, said, err := conn.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	return string(said)
}

// dynamic fills the template that the scripts fill; servers are separated by spaces.
func dynamic(active, admin, blue, green string) string {
	template, err := os.ReadFile("../../docker/traefik/dynamic.yml.tmpl")
	if err != nil {
		panic(err)
	}
	list := func(urls string) string {
		items := []string{}
		for _, url := range strings.Fields(urls) {
			items = append(items, fmt.Sprintf("{url: %q}", url))
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return strings.NewReplacer("{{ACTIVE}}", active, "{{ADMIN_CIDRS}}", fmt.Sprintf("%q", admin),
		"{{BLUE_SERVERS}}", list(blue), "{{GREEN_SERVERS}}", list(green)).Replace(string(template))
}
