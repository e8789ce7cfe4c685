package compose

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"baton/tests/harness"
)

// The whole stack, brought up once; each part goes on from where the one before left it.
func TestStack(t *testing.T) {
	s := startStack(t)
	parts := []struct {
		name string
		run  func(*testing.T, *stack)
	}{
		{"up returns when it serves", serves},
		{"the idle color does not run", idleIsOff},
		{"only the front door is public", onlyFrontIsPublic},
		{"containers are hardened", hardened},
		{"replicas share the connections", replicasShare},
		{"Prometheus finds every replica", prometheusFinds},
		{"kill -9 of a replica loses nothing", replicaKilled},
		{"a restart of Redis loses nothing", redisRestarted},
		{"a broken image is retired and blue serves on", brokenImage},
		{"a promotion and a rollback under load lose nothing", promoted},
		{"monitor.sh shows the stack", monitored},
	}
	for _, part := range parts {
		if !t.Run(part.name, func(t *testing.T) { part.run(t, s) }) {
			return
		}
	}
}

// Without a password there is no stack, and the reason is said.
func TestNoDefaultPassword(t *testing.T) {
	t.Parallel()
	needs(t)
	command := []string{"docker-compose"}
	if exec.Command("docker", "compose", "version").Run() == nil {
		command = []string{"docker", "compose"}
	}
	for _, missing := range []string{"REDIS_PASSWORD", "REDIS_APP_PASSWORD", "GRAFANA_ADMIN_PASSWORD"} {
		env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
		for _, name := range []string{"REDIS_PASSWORD", "REDIS_APP_PASSWORD", "GRAFANA_ADMIN_PASSWORD"} {
			if name != missing {
				env = append(env, name+"=x")
			}
		}
		cmd := exec.Command(command[0], append(command[1:], "-f", "../../docker/compose.yml", "config")...)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "set "+missing+" in .env") {
			t.Errorf("without %s: %v\n%s", missing, err, out)
		}
	}
}

func serves(t *testing.T, s *stack) {
	for _, path := range []string{"/healthz", "/readyz", "/blue/readyz"} {
		if status, body := s.get(t, "http://"+s.front+path); status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	s.must(t, s.env, s.binary, "smoke", "--url", "ws://"+s.front+"/ws/chat/")
	for _, service := range []string{"traefik", "redis", "prometheus", "app_blue"} {
		for _, id := range s.containers(t, service) {
			harness.Eventually(t, upWithin, service+" is healthy", func() bool {
				health := s.inspect(t, id).State.Health
				return health != nil && health.Status == "healthy"
			})
		}
	}
}

func idleIsOff(t *testing.T, s *stack) {
	if blue, green := len(s.containers(t, "app_blue")), len(s.containers(t, "app_green")); blue != blueReplicas || green != 0 {
		t.Errorf("%d of blue and %d of green run, want %d and 0", blue, green, blueReplicas)
	}
}

func onlyFrontIsPublic(t *testing.T, s *stack) {
	_, frontPort, _ := strings.Cut(s.front, ":")
	public := 0
	for _, id := range s.containers(t, "") {
		found := s.inspect(t, id)
		for port, bindings := range found.NetworkSettings.Ports {
			for _, b := range bindings {
				switch {
				case b.HostIP == "::":
					// Docker hands these peers over as its own gateway, an administrator.
					t.Errorf("%s publishes %s by IPv6", found.Name, port)
				case b.HostPort == frontPort:
					public++
				case b.HostIP != "127.0.0.1":
					t.Errorf("%s publishes %s on %s:%s", found.Name, port, b.HostIP, b.HostPort)
				case strings.Contains(found.Name, "redis"):
					t.Errorf("Redis is published on %s:%s", b.HostIP, b.HostPort)
				}
			}
		}
	}
	if public == 0 {
		t.Error("the front door is not public")
	}
}

func hardened(t *testing.T, s *stack) {
	for _, id := range s.containers(t, "") {
		c := s.inspect(t, id)
		h := c.HostConfig
		if user, _, _ := strings.Cut(c.Config.User, ":"); user == "" || user == "0" || user == "root" {
			t.Errorf("%s runs as %q", c.Name, c.Config.User)
		}
		if !h.ReadonlyRootfs || h.Memory == 0 || h.PidsLimit == nil ||
			fmt.Sprint(h.CapDrop) != "[ALL]" || !strings.Contains(fmt.Sprint(h.SecurityOpt), "no-new-privileges") {
			t.Errorf("%s is not hardened: %+v", c.Name, h)
		}
	}
}

func replicasShare(t *testing.T, s *stack) {
	running := s.soak(t, 6*time.Second)
	harness.Eventually(t, 5*time.Second, "every replica has connections", func() bool {
		total := 0.0
		for _, n := range s.connections(t, "app_blue") {
			if n == 0 {
				return false
			}
			total += n
		}
		return total == 60
	})
	t.Logf("connections: %v", s.connections(t, "app_blue"))
	running.exact(t)
}

func prometheusFinds(t *testing.T, s *stack) {
	// A scrape every 15 s, as the configuration has it.
	harness.Eventually(t, time.Minute, "every replica, Traefik and Prometheus itself are up", func() bool {
		return s.query(t, `count(up{job="app_blue", color="blue"} == 1)`) == blueReplicas &&
			s.query(t, `count(up{job=~"traefik|prometheus"} == 1)`) == 2
	})
}

func replicaKilled(t *testing.T, s *stack) {
	running := s.soak(t, 8*time.Second)
	s.waitConnected(t, "app_blue")
	id := s.containers(t, "app_blue")[0]
	s.kill(t, id)
	harness.Eventually(t, upWithin, "Docker starts it again, and it is healthy", func() bool {
		c := s.inspect(t, id)
		return c.RestartCount > 0 && c.State.Health != nil && c.State.Health.Status == "healthy"
	})
	if v := running.exact(t); v.Reconnects == 0 {
		t.Error("nobody was cut: the replica was not killed under load")
	}
}

func redisRestarted(t *testing.T, s *stack) {
	running := s.soak(t, 8*time.Second)
	s.waitConnected(t, "app_blue")
	s.must(t, s.env, "docker", "restart", s.containers(t, "redis")[0])
	running.exact(t)
}

func brokenImage(t *testing.T, s *stack) {
	running := s.soak(t, 5*time.Second)
	s.waitConnected(t, "app_blue")
	env := append(append([]string{}, s.env...), "GREEN_IMAGE="+s.brokenImage())
	out, err := s.run(env, "scripts/promote.sh", "--driver", "compose", "--bake", "1")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(out, "green did not start: container") {
		t.Errorf("%v, want exit code 1 and why\n%s", err, out)
	}
	idleIsOff(t, s)
	running.exact(t)
}

// promoted goes to green and back, so that both numbers of replicas are seen.
func promoted(t *testing.T, s *stack) {
	running := s.soak(t, 10*time.Minute) // until both promotions are made
	s.waitConnected(t, "app_blue")
	t.Logf("to green: %s", s.script(t, "promote.sh", "--driver", "compose", "--bake", "2", "--json"))
	if blue, green := len(s.containers(t, "app_blue")), len(s.containers(t, "app_green")); blue != 0 || green != greenReplicas {
		t.Errorf("%d of blue and %d of green run, want 0 and %d", blue, green, greenReplicas)
	}
	if total := sum(s.connections(t, "app_green")); total != 60 {
		t.Errorf("green has %v connections, want 60", total)
	}
	t.Logf("back to blue: %s", s.script(t, "promote.sh", "rollback", "--driver", "compose", "--bake", "2", "--json"))
	running.Signal(syscall.SIGTERM) // soak settles and judges
	running.exact(t)
}

func monitored(t *testing.T, s *stack) {
	running := s.soak(t, 5*time.Second)
	s.waitConnected(t, "app_blue")
	var view struct {
		Active string
		Colors map[string]struct {
			State             string
			Replicas, Ready   int
			Connections       float64
			MessagesPerSecond float64  `json:"messages_per_second"`
			P99Ms             *float64 `json:"p99_ms"`
		}
		Redis struct {
			Up       bool
			Sessions int
		}
		FrontDoor struct {
			Kind string
			Up   bool
		} `json:"front_door"`
	}
	text := s.script(t, "monitor.sh", "--driver", "compose", "--once", "--json", "--interval", "1")
	if err := json.Unmarshal([]byte(text), &view); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	blue := view.Colors["blue"]
	if view.Active != "blue" || blue.State != "active" || blue.Ready != blueReplicas || blue.Connections != 60 ||
		blue.MessagesPerSecond < 60 || blue.P99Ms == nil || view.Colors["green"].State != "off" {
		t.Errorf("colors: %s", text)
	}
	if !view.Redis.Up || view.Redis.Sessions < 60 || !view.FrontDoor.Up || view.FrontDoor.Kind != "Traefik" {
		t.Errorf("services: %s", text)
	}
	running.exact(t)
}

// kill ends a container's process as the kernel would, so that the restart policy applies.
func (s *stack) kill(t *testing.T, id string) {
	t.Helper()
	err := syscall.Kill(s.inspect(t, id).State.Pid, syscall.SIGKILL)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ESRCH) {
		harness.Skip(t, "the containers' processes are not ours to kill here")
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (s *stack) waitConnected(t *testing.T, service string) {
	t.Helper()
	harness.Eventually(t, 20*time.Second, "all clients are connected", func() bool { return sum(s.connections(t, service)) == 60 })
}

// connections of each replica, by the loopback port it publishes. One that is starting has none.
func (s *stack) connections(t *testing.T, service string) []float64 {
	t.Helper()
	var all []float64
	for _, id := range s.containers(t, service) {
		bindings := s.inspect(t, id).NetworkSettings.Ports["8000/tcp"]
		if len(bindings) == 0 {
			continue
		}
		_, body := s.get(t, "http://127.0.0.1:"+bindings[0].HostPort+"/metrics")
		for line := range strings.Lines(body) {
			if value, ok := strings.CutPrefix(line, "websocket_active_connections "); ok {
				n, _ := strconv.ParseFloat(strings.TrimSpace(value), 64)
				all = append(all, n)
			}
		}
	}
	return all
}

// query is the one number that an expression has in the stack's Prometheus, -1 without one.
func (s *stack) query(t *testing.T, expr string) float64 {
	t.Helper()
	_, body := s.get(t, fmt.Sprintf("http://127.0.0.1:%d/api/v1/query?query=%s", s.prometheusPort, url.QueryEscape(expr)))
	var answer struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	if json.Unmarshal([]byte(body), &answer) != nil || len(answer.Data.Result) != 1 {
		return -1
	}
	value, _ := strconv.ParseFloat(fmt.Sprint(answer.Data.Result[0].Value[1]), 64)
	return value
}

// get is 0 and nothing while nobody answers.
func (s *stack) get(t *testing.T, address string) (int, string) {
	t.Helper()
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Get(address)
	if err != nil {
		return 0, ""
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(body)
}

func sum(numbers []float64) float64 {
	total := 0.0
	for _, n := range numbers {
		total += n
	}
	return total
}
