package dashboards

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"baton/tests/harness"
)

const (
	firesWithin = 60 * time.Second
	calmFor     = 14 * time.Second
)

// Each fault is made for real, and the alert that is meant for it fires; load and a clean promotion fire nothing.
// The rules are the real ones on a faster clock: windows and `for` are shortened, as the scrapes are, and the
// capacity is small enough to be filled.
func TestAlertsFire(t *testing.T) {
	if testing.Short() {
		t.Skip("makes faults for two minutes")
	}
	for _, program := range []string{"traefik", "prometheus", "prlimit"} {
		if _, err := exec.LookPath(program); err != nil {
			harness.Skip(t, program+" is not installed")
		}
	}
	s := startStack(t, fasterRules(t))
	load := s.soak(t, "", "--clients", "20", "--duration", "10m")
	s.promoteCleanly(t)
	s.nearCapacity(t)
	s.storm(t)
	s.redisPaused(t)
	load.Kill()
	s.fires(t, "BatonNoActiveConnections")
	s.drainThatStays(t)
	s.limitsReached(t)
	s.green.Kill()
	s.fires(t, "BatonColorDown", "BatonReplicaDown")
	s.prometheus.target(t, "app_green")
	s.prometheus.target(t, "app_blue")
	s.traefik.Kill()
	s.fires(t, "BatonDown", "TraefikDown")
}

func fasterRules(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	paths, _ := filepath.Glob(filepath.Join(rulesFolder, "*.yml"))
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// Prometheus takes up to 10 s to drop a target that is gone: 30 s become 12, the rest 3 or 4.
		faster := strings.NewReplacer("[1m]", "[24s]", "[5m]", "[30s]", "> 5950", "> 50",
			"for: 30s", "for: 12s", "for: 45s", "for: 4s", "for: 60s", "for: 3s", "for: 1m", "for: 3s", "for: 2m", "for: 3s")
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), []byte(faster.Replace(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// promoteCleanly moves the traffic from blue to green and retires blue: silent before, meanwhile and after.
func (s *stack) promoteCleanly(t *testing.T) {
	t.Helper()
	harness.Eventually(t, startWithin, "traffic is measured", func() bool {
		return s.prometheus.number(t, `color:websocket_messages:rate1m{color="blue"}`) > 1
	})
	s.silent(t, calmFor)
	s.switchTo(t, "green")
	harness.Eventually(t, startWithin, "new connections go to green", func() bool {
		answer, err := http.Get("http://" + s.front + "/version")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		var version struct{ Color string }
		return json.NewDecoder(answer.Body).Decode(&version) == nil && version.Color == "green"
	})
	s.blue.Terminate()
	if code := s.blue.Exit(t, startWithin); code != 0 {
		t.Fatalf("blue ended with %d", code)
	}
	s.prometheus.target(t, "app_blue")
	s.silent(t, calmFor)
}

func (s *stack) nearCapacity(t *testing.T) {
	t.Helper()
	crowd := s.soak(t, "", "--clients", "60")
	s.fires(t, "BatonNearCapacity")
	crowd.Kill()
}

func (s *stack) storm(t *testing.T) {
	t.Helper()
	hoppers := s.soak(t, "", "--hop", "100ms", "--clients", "40")
	s.fires(t, "BatonReconnectStorm")
	hoppers.Kill()
}

func (s *stack) redisPaused(t *testing.T) {
	t.Helper()
	alerts := []string{"BatonNotReady", "BatonCommitsFailing", "BatonErrorRateHigh"}
	if !slices.Contains(s.missing, "redis") {
		alerts = append(alerts, "RedisDown")
	}
	s.redis.Pause()
	s.fires(t, alerts...)
	s.redis.Resume()
	s.green.WaitReady()
}

// drainThatStays: a blue with much time to drain and connections that are closed slowly.
func (s *stack) drainThatStays(t *testing.T) {
	t.Helper()
	env := s.env("blue")
	env["DRAIN_TIMEOUT"], env["DRAIN_SPREAD"] = "60s", "50s"
	s.blue = harness.Start(t, env)
	s.prometheus.target(t, "app_blue", s.blue.Addr)
	for range 20 {
		s.blue.Dial(harness.Handshake{})
	}
	s.blue.Terminate()
	s.fires(t, "BatonDrainOverTime")
	s.blue.Kill()
	s.prometheus.target(t, "app_blue")
}

// limitsReached: a Redis whose memory is full, and a process that may open hardly another file.
func (s *stack) limitsReached(t *testing.T) {
	t.Helper()
	alerts := []string{"BatonFileDescriptorsLow"}
	if !slices.Contains(s.missing, "redis") {
		alerts = append(alerts, "RedisMemoryHigh")
	}
	s.redis.Do("CONFIG", "SET", "maxmemory", "1000000")
	open := s.prometheus.number(t, `process_open_fds{job="app_green"}`)
	limit := fmt.Sprintf("--nofile=%d", int(open/0.9))
	if out, err := exec.Command("prlimit", "--pid", strconv.Itoa(s.green.Pid()), limit).CombinedOutput(); err != nil {
		t.Fatalf("prlimit: %v %s", err, out)
	}
	s.fires(t, alerts...)
}

// fires waits until every one of these alerts has fired, and has its sentence for who is woken.
func (s *stack) fires(t *testing.T, names ...string) {
	t.Helper()
	waiting := slices.Clone(names)
	for deadline := time.Now().Add(firesWithin); len(waiting) > 0; time.Sleep(askEvery) {
		answers("http://" + s.green.Addr + "/readyz") // as Docker's health check does
		firing := s.prometheus.firing(t)
		waiting = slices.DeleteFunc(waiting, func(name string) bool { return firing[name] != "" })
		if time.Now().After(deadline) {
			t.Fatalf("did not fire: %v (firing: %v)", waiting, firing)
		}
	}
	t.Logf("fired: %v", names)
}

// silent watches for a time that nothing fires.
func (s *stack) silent(t *testing.T, within time.Duration) {
	t.Helper()
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(askEvery) {
		if firing := s.prometheus.firing(t); len(firing) > 0 {
			t.Fatalf("fires although all is well: %v", firing)
		}
	}
}

// firing are the alerts that fire now, with their runbooks.
func (p *prometheus) firing(t *testing.T) map[string]string {
	t.Helper()
	response, err := http.Get(p.base + "/api/v1/alerts")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Data struct {
			Alerts []struct {
				State       string
				Labels      map[string]string
				Annotations map[string]string
			}
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	firing := map[string]string{}
	for _, alert := range answer.Data.Alerts {
		if alert.State == "firing" {
			firing[alert.Labels["alertname"]] = alert.Annotations["runbook"]
		}
	}
	return firing
}
