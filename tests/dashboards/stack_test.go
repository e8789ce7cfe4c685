package dashboards

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"baton/tests/harness"
)

const (
	loadFor  = 30 * time.Second
	soakers  = 120 // of a soak, each with one message a second
	capacity = 300 // of a color: connections
)

// stack is two colors behind a front door, on one Redis, watched by Prometheus.
type stack struct {
	blue, green *harness.Server
	redis       *harness.Redis
	traefik     *harness.Process
	front       string // host:port
	dynamic     string // Traefik's dynamic file
	missing     []string
	prometheus  *prometheus
	dashboards  map[string]dashboard
	failure     string
}

// startStack starts the colors before Redis: so they were not ready once, and what counts that has counted.
func startStack(t *testing.T, rules string) *stack {
	t.Helper()
	s := &stack{dashboards: load(t)}
	t.Cleanup(func() { // the first to be registered is the last to speak
		if s.failure != "" {
			t.Log(s.failure)
		}
	})
	s.redis = harness.PrepareRedis(t, "--maxmemory", "64mb", "--maxmemory-policy", "noeviction")
	for color, server := range map[string]**harness.Server{"blue": &s.blue, "green": &s.green} {
		*server = harness.StartUnready(t, s.env(color))
		(*server).WaitNotReady()
	}
	s.redis.Start()
	s.blue.WaitReady()
	s.green.WaitReady()
	targets := map[string][]string{
		"app_blue": {s.blue.Addr}, "app_green": {s.green.Addr},
		"traefik": s.startTraefik(t), "redis": s.startExporter(t),
	}
	s.prometheus = startPrometheus(t, targets, rules)
	return s
}

func (s *stack) env(color string) harness.Env {
	return harness.Env{"COLOR": color, "REDIS_URL": s.redis.URL(), "HEARTBEAT_INTERVAL": "1s", "MAX_CONNECTIONS": strconv.Itoa(capacity)}
}

// startTraefik runs the real one with the real files, but for the addresses. Without it the colors are asked directly.
func (s *stack) startTraefik(t *testing.T) []string {
	t.Helper()
	path, err := exec.LookPath("traefik")
	if err != nil {
		s.lacks(t, "traefik")
		return nil
	}
	s.front = fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))
	metrics := fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))
	dir := t.TempDir()
	static := filepath.Join(dir, "traefik.yml")
	s.dynamic = filepath.Join(dir, "dynamic", "baton.yml")
	rewrite(t, "../../docker/traefik/traefik.yml", static,
		`":80"`, s.front, `":8082"`, metrics, "/etc/traefik/dynamic", filepath.Dir(s.dynamic))
	s.switchTo(t, "blue")
	s.traefik = harness.Run(t, harness.Command{Path: path, Args: []string{"--configFile=" + static}, Env: os.Environ()})
	harness.Eventually(t, startWithin, "Traefik leads to both colors", func() bool {
		return answers("http://"+s.front+"/readyz") && answers("http://"+s.front+"/green/readyz")
	})
	return []string{metrics}
}

// switchTo renders the dynamic file beside it and renames: the act of promote.sh.
func (s *stack) switchTo(t *testing.T, color string) {
	t.Helper()
	beside := filepath.Join(filepath.Dir(filepath.Dir(s.dynamic)), "baton.yml")
	rewrite(t, "../../docker/traefik/dynamic.yml.tmpl", beside,
		"{{ACTIVE}}", color, "{{ADMIN_CIDRS}}", `"127.0.0.1/32"`,
		"{{BLUE_SERVERS}}", `[{url: "http://`+s.blue.Addr+`"}]`, "{{GREEN_SERVERS}}", `[{url: "http://`+s.green.Addr+`"}]`)
	if err := os.MkdirAll(filepath.Dir(s.dynamic), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(beside, s.dynamic); err != nil {
		t.Fatal(err)
	}
}

func (s *stack) startExporter(t *testing.T) []string {
	t.Helper()
	for _, name := range []string{"redis_exporter", "prometheus-redis-exporter"} {
		if path, err := exec.LookPath(name); err == nil {
			address := fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))
			harness.Run(t, harness.Command{Path: path, Env: os.Environ(), Args: []string{
				"--redis.addr", s.redis.URL(), "--web.listen-address", address,
			}})
			return []string{address}
		}
	}
	s.lacks(t, "redis")
	return nil
}

// lacks: what is not installed leaves its expressions without an answer, and the log says so.
func (s *stack) lacks(t *testing.T, prefix string) {
	t.Helper()
	if os.Getenv("BATON_NO_SKIP") != "" {
		t.Fatalf("what answers %s_… is not installed, and BATON_NO_SKIP is set", prefix)
	}
	t.Logf("not installed, so not asked: %s_…", prefix)
	s.missing = append(s.missing, prefix)
}

// expected tells whether an expression can have an answer here.
func (s *stack) expected(expr string) bool {
	if strings.Contains(expr, "traefik_tls_certs_not_after") {
		return false // exists only with TLS
	}
	for _, prefix := range s.missing {
		if strings.Contains(expr, prefix+"_") || strings.Contains(expr, `"`+prefix+`"`) {
			return false
		}
	}
	return true
}

// misbehave makes one error and one close on each color.
func (s *stack) misbehave(t *testing.T) {
	t.Helper()
	for _, server := range []*harness.Server{s.blue, s.green} {
		if answer := server.Get("/ws/chat/"); answer.Status != http.StatusUpgradeRequired {
			t.Fatalf("no upgrade: %d %s", answer.Status, answer.Body)
		}
		server.Get("/readyz")
		peer := server.Dial(harness.Handshake{})
		peer.Send(harness.Close(1000, ""))
		peer.Closed(1000)
		peer.Close()
	}
}

// traffic is a running `baton soak`.
type traffic struct{ *harness.Process }

// soak of some clients through the front door, to the active color or by its prefix to another; more flags go to it.
func (s *stack) soak(t *testing.T, prefix string, flags ...string) *traffic {
	t.Helper()
	target := s.front + prefix
	if s.front == "" {
		target = map[string]string{"": s.blue.Addr, "/green": s.green.Addr}[prefix]
	}
	args := []string{
		"soak", "--url", "ws://" + target + "/ws/chat/", "--clients", strconv.Itoa(soakers), "--rate", "1",
		"--duration", loadFor.String(), "--json", "--quiet",
	}
	return &traffic{harness.Run(t, harness.Command{Path: harness.Binary(t), Env: os.Environ(), Args: append(args, flags...)})}
}

// acknowledged waits for the end, which has to be a good one.
func (l *traffic) acknowledged(t *testing.T) float64 {
	t.Helper()
	if code := l.Exit(t, 2*loadFor); code != 0 {
		t.Fatalf("soak ended with %d: %s", code, l.Stderr())
	}
	return field(t, l.Stdout(), "acknowledged")
}

func (p *prometheus) eventually(t *testing.T, expr string, want float64) {
	t.Helper()
	got := math.NaN()
	for deadline := time.Now().Add(startWithin); got != want; time.Sleep(askEvery) {
		if got = p.number(t, expr); time.Now().After(deadline) {
			break
		}
	}
	if got != want {
		t.Errorf("%s is %v, the load says %v", expr, got, want)
	}
}

func answers(address string) bool {
	client := http.Client{Timeout: askWithin}
	response, err := client.Get(address)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// rewrite copies a file with some texts replaced; one that is not there is an error.
func rewrite(t *testing.T, from, to string, pairs ...string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(string(text), pairs[i]) {
			t.Fatalf("%s has no %s", from, pairs[i])
		}
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, []byte(strings.NewReplacer(pairs...).Replace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
}
