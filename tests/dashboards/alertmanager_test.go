package dashboards

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"baton/tests/harness"
)

// inbox is the webhook's other end.
type inbox struct {
	mu   sync.Mutex
	told []notified
}

// notified is one alert of Alertmanager's JSON.
type notified struct {
	Status      string
	Labels      map[string]string
	Annotations map[string]string
}

func (b *inbox) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var body struct{ Alerts []notified }
	_ = json.NewDecoder(r.Body).Decode(&body) // what can't be read is missed by the test
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told = append(b.told, body.Alerts...)
}

// find returns what the webhook was told of an alert in this status.
func (b *inbox) find(name, status string) (notified, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.told {
		if n.Labels["alertname"] == name && n.Status == status {
			return n, true
		}
	}
	return notified{}, false
}

// That nothing serves reaches the webhook of the real configuration, with what to do; that a color and its replica are
// down says nothing new then and is kept back; when it serves again, the webhook hears of that.
func TestAlertmanagerNotifies(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Prometheus and Alertmanager")
	}
	t.Parallel()
	box := &inbox{}
	webhook := httptest.NewServer(box)
	defer webhook.Close()
	rules := t.TempDir()
	rewrite(t, filepath.Join(rulesFolder, "alerts.yml"), filepath.Join(rules, "alerts.yml"), "for: 30s", "for: 2s", "for: 1m", "for: 15s")
	server := harness.Start(t, nil)
	p := startPrometheus(t, map[string][]string{"app_blue": {server.Addr}, "alertmanager": {startAlertmanager(t, webhook.URL)}}, rules)
	harness.Eventually(t, startWithin, "the server is scraped", func() bool { return p.number(t, `up{job="app_blue"}`) == 1 })
	server.Kill()
	harness.Eventually(t, firesWithin, "the webhook is told", func() bool { _, ok := box.find("BatonDown", "firing"); return ok })
	down, _ := box.find("BatonDown", "firing")
	if down.Labels["severity"] != "critical" || !strings.Contains(down.Annotations["runbook"], "scripts/stack.sh status") {
		t.Errorf("told %+v", down)
	}
	harness.Eventually(t, firesWithin, "BatonReplicaDown fires too", func() bool {
		time.Sleep(askEvery)
		for _, a := range p.firing(t) {
			if a.Labels["alertname"] == "BatonReplicaDown" {
				return true
			}
		}
		return false
	})
	time.Sleep(5 * time.Second) // five times group_wait: nothing to wait for, it must not come
	for _, follows := range []string{"BatonReplicaDown", "BatonColorDown"} {
		if n, told := box.find(follows, "firing"); told {
			t.Errorf("not inhibited: %+v", n)
		}
	}
	_, port, _ := net.SplitHostPort(server.Addr)
	number, _ := strconv.Atoi(port)
	harness.StartOn(t, number, nil)
	harness.Eventually(t, firesWithin, "the webhook hears of the end", func() bool { _, ok := box.find("BatonDown", "resolved"); return ok })
}

// startAlertmanager runs the real one with the real configuration, told at once and elsewhere; it returns its address.
func startAlertmanager(t *testing.T, webhook string) string {
	t.Helper()
	path, err := exec.LookPath("prometheus-alertmanager")
	if err != nil {
		path, err = exec.LookPath("alertmanager")
	}
	if err != nil {
		harness.Skip(t, "prometheus-alertmanager is not installed")
	}
	config := filepath.Join(t.TempDir(), "alertmanager.yml")
	rewrite(t, "../../docker/prometheus/alertmanager.yml", config,
		"http://host.docker.internal:5001", webhook, "group_wait: 10s", "group_wait: 1s", "group_interval: 1m", "group_interval: 1s")
	address := fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))
	harness.Run(t, harness.Command{Path: path, Env: os.Environ(), Args: []string{
		"--config.file=" + config, "--storage.path=" + t.TempDir(), "--web.listen-address=" + address, "--cluster.listen-address=",
	}})
	harness.Eventually(t, startWithin, "Alertmanager is ready", func() bool { return answers("http://" + address + "/-/ready") })
	return address
}
