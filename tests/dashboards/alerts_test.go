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
	"sync"
	"syscall"
	"testing"
	"time"

	"baton/tests/harness"
)

const (
	firesWithin = 2 * time.Minute
	calmBefore  = 20 * time.Second // over the `for` of all but BatonMessagesSlow
	calmFor     = 60 * time.Second // over every `for` of fasterRules
	clients     = 20
)

// Each fault is made for real, and the alert that is meant for it fires; load and a clean promotion fire nothing.
// The rules are the real ones on a faster clock: windows and `for` are shortened, as the scrapes are.
func TestAlertsFire(t *testing.T) {
	if testing.Short() {
		t.Skip("makes faults for five minutes")
	}
	for _, program := range []string{"traefik", "prometheus", "prlimit"} {
		if _, err := exec.LookPath(program); err != nil {
			harness.Skip(t, program+" is not installed")
		}
	}
	s := startStack(t, fasterRules(t))
	load := s.soak(t, "", "--clients", strconv.Itoa(clients), "--duration", "20m")
	s.promoteCleanly(t)
	s.slowRedis(t)
	s.nearCapacity(t)
	s.storm(t)
	s.redisPaused(t)
	load.Kill()
	s.fires(t, "BatonNoActiveConnections")
	s.drainThatStays(t)
	s.fires(t, append(s.redisFull(), "BatonDrainOverTime")...)
	s.blue.Kill()
	s.prometheus.target(t, "app_blue")
	s.filesRunOut(t)
	s.green.Kill()
	s.fires(t, "BatonColorDown", "BatonReplicaDown")
	s.prometheus.target(t, "app_green")
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
		// Prometheus takes up to 10 s to drop a target that is gone, and a busy machine stalls for some: no `for` is
		// under 15 s. A message is slow over a second, as stalls alone make it slower than 250 ms.
		faster := strings.NewReplacer("[1m]", "[30s]", "[5m]", "[45s]", "p99_1m > 0.25", "p99_1m > 1",
			"for: 30s", "for: 15s", "for: 45s", "for: 20s", "for: 60s", "for: 15s", "for: 1m", "for: 20s", "for: 2m", "for: 45s")
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
	s.silent(t, calmBefore)
	s.switchTo(t, "green")
	s.leadsTo(t, "green")
	s.blue.Terminate()
	harness.Eventually(t, startWithin, "blue has drained", func() bool {
		answers("http://" + s.blue.Addr + "/readyz") // says 503, which is no news in a drain
		time.Sleep(askEvery / 5)
		return !s.blue.Alive()
	})
	if code := s.blue.Exit(t, startWithin); code != 0 {
		t.Fatalf("blue ended with %d", code)
	}
	s.prometheus.target(t, "app_blue")
	harness.Eventually(t, startWithin, "Prometheus has dropped blue", func() bool { return !s.prometheus.scrapes(t, "app_blue") })
	s.silent(t, calmFor)
}

func (s *stack) nearCapacity(t *testing.T) {
	t.Helper()
	crowd := s.soak(t, "", "--clients", strconv.Itoa(capacity*9/10-clients), "--duration", "20m")
	s.fires(t, "BatonNearCapacity")
	s.marked(t, "BatonNearCapacity")
	s.heartbeatsLate(t)
	crowd.Kill()
}

// slowRedis answers now and then, as one whose disk hangs does.
func (s *stack) slowRedis(t *testing.T) {
	t.Helper()
	end := stutter(t, s.redis.Process, 1500*time.Millisecond, 100*time.Millisecond)
	s.fires(t, "BatonMessagesSlow")
	end()
	s.green.WaitReady()
}

// heartbeatsLate gives green less CPU than a heartbeat to a crowd takes. Between times it may be scraped.
func (s *stack) heartbeatsLate(t *testing.T) {
	t.Helper()
	const starved, free = 6 * time.Second, 3 * time.Second
	harness.Eventually(t, firesWithin, "a heartbeat takes more than a second", func() bool {
		end := stutter(t, s.green.Process, 1200*time.Millisecond, time.Millisecond)
		time.Sleep(starved)
		end()
		time.Sleep(free)
		return s.prometheus.number(t, `color:websocket_heartbeat_fanout_seconds:p99_5m{color="green"}`) > 1
	})
	s.fires(t, "BatonHeartbeatsLate")
}

// stutter stops a process again and again, until end is called.
func stutter(t *testing.T, p *harness.Process, stopped, runs time.Duration) (end func()) {
	t.Helper()
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			p.Signal(syscall.SIGSTOP)
			time.Sleep(stopped)
			p.Signal(syscall.SIGCONT)
			select {
			case <-done:
				return
			case <-time.After(runs):
			}
		}
	})
	end = sync.OnceFunc(func() { close(done); running.Wait() })
	t.Cleanup(end)
	return end
}

func (s *stack) storm(t *testing.T) {
	t.Helper()
	hoppers := s.soak(t, "", "--hop", "100ms", "--clients", "40", "--duration", "20m")
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
}

// redisFull returns what is to fire.
func (s *stack) redisFull() []string {
	s.redis.Do("CONFIG", "SET", "maxmemory", "1000000")
	if slices.Contains(s.missing, "redis") {
		return nil
	}
	return []string{"RedisMemoryHigh"}
}

// filesRunOut lets green open hardly another file; when it closes some, the limit follows.
func (s *stack) filesRunOut(t *testing.T) {
	t.Helper()
	const name = "BatonFileDescriptorsLow"
	harness.Eventually(t, firesWithin, name+" fires", func() bool {
		if open := s.prometheus.number(t, `process_open_fds{job="app_green"}`); open/s.prometheus.number(t, `process_max_fds{job="app_green"}`) < 0.85 {
			limit := fmt.Sprintf("--nofile=%d", int(open/0.9))
			if out, err := exec.Command("prlimit", "--pid", strconv.Itoa(s.green.Pid()), limit).CombinedOutput(); err != nil {
				t.Fatalf("prlimit: %v %s", err, out)
			}
		}
		time.Sleep(askEvery)
		return slices.ContainsFunc(s.prometheus.firing(t), func(a alert) bool { return a.Labels["alertname"] == name })
	})
}

// fires waits until every one of these alerts has fired, and has its sentence for who is woken.
func (s *stack) fires(t *testing.T, names ...string) {
	t.Helper()
	waiting := slices.Clone(names)
	for deadline := time.Now().Add(firesWithin); len(waiting) > 0; time.Sleep(askEvery) {
		answers("http://" + s.green.Addr + "/readyz") // as Docker's health check does
		firing := s.prometheus.firing(t)
		waiting = slices.DeleteFunc(waiting, func(name string) bool {
			return slices.ContainsFunc(firing, func(a alert) bool { return a.Labels["alertname"] == name && a.Annotations["runbook"] != "" })
		})
		if time.Now().After(deadline) {
			s.fail(t, "%v did not fire within %v; these did: %v", waiting, firesWithin, firing)
		}
	}
	t.Logf("fired: %v", names)
}

// marked wants the dashboards to tell of an alert that fires: in the charts and, counted, in the first look.
func (s *stack) marked(t *testing.T, name string) {
	t.Helper()
	for _, a := range s.dashboards["overview.json"].Annotations.List {
		if a.Name != "Alerts" {
			continue
		}
		harness.Eventually(t, startWithin, name+" is marked in the charts", func() bool {
			samples, err := s.prometheus.samples(a.Expr)
			return err == nil && slices.ContainsFunc(samples, func(m sample) bool { return strings.HasPrefix(named(a.TitleFormat, m.Metric), name+" ") })
		})
		if count := s.value(t, "overview", "Alerts", ""); count < 1 {
			t.Errorf("%v alerts on the overview while %s fires", count, name)
		}
		return
	}
	t.Error("no annotation shows alerts")
}

// silent watches for a time that nothing fires.
func (s *stack) silent(t *testing.T, within time.Duration) {
	t.Helper()
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(askEvery) {
		if firing := s.prometheus.firing(t); len(firing) > 0 {
			s.fail(t, "%v fires although all is well (%d in all)", firing[0], len(firing))
		}
	}
}

// fail ends the test. What went wrong is said again behind the processes' logs, which are long.
func (s *stack) fail(t *testing.T, format string, args ...any) {
	t.Helper()
	s.failure = fmt.Sprintf(format, args...)
	t.Fatal(s.failure)
}

// alert is one that Prometheus knows of.
type alert struct {
	State       string
	Value       string
	ActiveAt    time.Time
	Labels      map[string]string
	Annotations map[string]string
}

func (a alert) String() string {
	return fmt.Sprintf("%v = %s since %s", a.Labels, a.Value, a.ActiveAt.Format(time.TimeOnly))
}

// firing are the alerts that fire now, that which was active first in front.
func (p *prometheus) firing(t *testing.T) []alert {
	t.Helper()
	var answer struct{ Data struct{ Alerts []alert } }
	p.get(t, "/api/v1/alerts", &answer)
	firing := slices.DeleteFunc(answer.Data.Alerts, func(a alert) bool { return a.State != "firing" })
	slices.SortFunc(firing, func(a, b alert) int { return a.ActiveAt.Compare(b.ActiveAt) })
	return firing
}

// scrapes tells whether a job has targets. Prometheus looks for them some seconds after their file has changed.
func (p *prometheus) scrapes(t *testing.T, job string) bool {
	t.Helper()
	var answer struct {
		Data struct{ ActiveTargets []struct{ ScrapePool string } }
	}
	p.get(t, "/api/v1/targets?state=active", &answer)
	for _, target := range answer.Data.ActiveTargets {
		if target.ScrapePool == job {
			return true
		}
	}
	return false
}

func (p *prometheus) get(t *testing.T, path string, into any) {
	t.Helper()
	client := http.Client{Timeout: askWithin}
	response, err := client.Get(p.base + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}
