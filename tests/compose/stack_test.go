package compose

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baton/tests/harness"
)

const (
	blueReplicas  = 2
	greenReplicas = 3
	upWithin      = 2 * time.Minute
)

// stack is one compose project with its own ports, folders and images: nothing of a stack that runs already is touched.
type stack struct {
	project        string
	root           string
	binary         string // static: it runs in an empty image
	env            []string
	front          string // host:port
	prometheusPort int
}

// startStack brings everything up by scripts/stack.sh, or skips the test where Docker is not there.
func startStack(t *testing.T) *stack {
	t.Helper()
	needs(t)
	s := &stack{project: fmt.Sprintf("batontest%d", rand.IntN(1e6)), root: absolute(t, "../..")}
	s.binary = filepath.Join(t.TempDir(), "baton")
	s.must(t, append(os.Environ(), "CGO_ENABLED=0"), "go", "build", "-ldflags", "-s -w", "-o", s.binary, "./app")
	s.configure(t)
	t.Cleanup(func() { s.remove(t) })
	s.env = append(s.env, s.images(t)...)
	s.script(t, "stack.sh", "up", "--driver", "compose")
	return s
}

func needs(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts containers")
	}
	for _, program := range []string{"docker", "ldd", "traefik", "redis-server", "redis-cli", "prometheus", "promtool"} {
		if _, err := exec.LookPath(program); err != nil {
			harness.Skip(t, program+" is not installed")
		}
	}
	if out, err := exec.Command("docker", "info").CombinedOutput(); err != nil {
		harness.Skip(t, "no Docker engine answers: "+string(out))
	}
	if exec.Command("docker", "compose", "version").Run() != nil && exec.Command("docker-compose", "version").Run() != nil {
		harness.Skip(t, "neither docker compose nor docker-compose is installed")
	}
}

func (s *stack) configure(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	port := harness.FreePort(t)
	s.front = fmt.Sprintf("127.0.0.1:%d", port)
	s.prometheusPort = harness.FreePort(t)
	s.env = append(os.Environ(),
		"COMPOSE_PROJECT_NAME="+s.project,
		"BATON_BIN="+s.binary,
		"BATON_RUN_DIR="+filepath.Join(dir, "run"),
		"BATON_ENV_FILE="+filepath.Join(dir, "env"),
		"BATON_DYNAMIC_DIR="+filepath.Join(dir, "dynamic"),
		"BATON_WITHOUT=grafana", // has no package to make an image of
		fmt.Sprintf("HTTP_PORT=%d", port),
		fmt.Sprintf("PROMETHEUS_PORT=%d", s.prometheusPort),
		fmt.Sprintf("TRAEFIK_METRICS_PORT=%d", harness.FreePort(t)),
		fmt.Sprintf("BLUE_REPLICAS=%d", blueReplicas),
		fmt.Sprintf("GREEN_REPLICAS=%d", greenReplicas),
		"HEARTBEAT_INTERVAL=1s",
	)
}

// images are built FROM scratch; their names come back as lines for the environment.
func (s *stack) images(t *testing.T) []string {
	t.Helper()
	out := s.must(t, s.env, "docker/offline-images.sh", "--baton", s.binary, "--tag", s.project,
		"baton", "traefik", "redis", "prometheus")
	lines := strings.Fields(out)
	t.Cleanup(func() {
		for _, line := range lines {
			_, image, _ := strings.Cut(line, "=")
			_ = exec.Command("docker", "rmi", "-f", image).Run()
		}
	})
	return lines
}

// brokenImage is one whose program ends at once under the settings of a color.
func (s *stack) brokenImage() string { return "baton-offline/prometheus:" + s.project }

func (s *stack) remove(t *testing.T) {
	t.Helper()
	if t.Failed() {
		s.report(t)
	}
	if out, err := s.run(s.env, "scripts/stack.sh", "down", "--driver", "compose"); err != nil {
		t.Errorf("down: %v\n%s", err, out)
	}
	if left := s.containers(t, ""); len(left) > 0 {
		t.Errorf("down left %d containers", len(left))
	}
	volumes, _ := s.run(s.env, "docker", "volume", "ls", "-q", "--filter", "label=com.docker.compose.project="+s.project)
	for _, volume := range strings.Fields(volumes) {
		_, _ = s.run(s.env, "docker", "volume", "rm", volume)
	}
}

// report: what stands, and the last lines of what it said, cut to be readable.
func (s *stack) report(t *testing.T) {
	t.Helper()
	const lines, columns = "8", 240
	out, _ := s.run(s.env, "docker", append([]string{"ps", "-a"}, s.filter("")...)...)
	t.Log(out)
	for _, service := range []string{"app_blue", "app_green", "redis", "traefik"} {
		for _, id := range s.containers(t, service) {
			out, _ := exec.Command("docker", "logs", "--tail", lines, id).CombinedOutput()
			for line := range strings.Lines(string(out)) {
				t.Logf("%s: %.*s", service, columns, strings.TrimSpace(line))
			}
		}
	}
}

// script runs one of the operator's scripts, which has to succeed.
func (s *stack) script(t *testing.T, name string, args ...string) string {
	t.Helper()
	return s.must(t, s.env, "scripts/"+name, args...)
}

func (s *stack) must(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	out, err := s.run(env, name, args...)
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return out
}

// run returns stdout; with an error everything that was written.
func (s *stack) run(env []string, name string, args ...string) (string, error) {
	if strings.Contains(name, "/") && !filepath.IsAbs(name) {
		name = filepath.Join(s.root, name)
	}
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = s.root, env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String() + stderr.String(), err
	}
	return stdout.String(), nil
}

// containers are the ids of a service's running containers, or of all of the project.
func (s *stack) containers(t *testing.T, service string) []string {
	t.Helper()
	return strings.Fields(s.must(t, s.env, "docker", append([]string{"ps", "-q"}, s.filter(service)...)...))
}

func (s *stack) filter(service string) []string {
	list := []string{"--filter", "label=com.docker.compose.project=" + s.project}
	if service != "" {
		list = append(list, "--filter", "label=com.docker.compose.service="+service)
	}
	return list
}

// inspect is what Docker says about a container.
type inspect struct {
	Name   string
	Config struct{ User string }
	State  struct {
		Pid    int
		Health *struct{ Status string }
	}
	RestartCount int
	HostConfig   struct {
		ReadonlyRootfs bool
		CapDrop        []string
		SecurityOpt    []string
		Memory         int64
		PidsLimit      *int64
	}
	NetworkSettings struct {
		Ports map[string][]struct{ HostIP, HostPort string }
	}
}

func (s *stack) inspect(t *testing.T, id string) inspect {
	t.Helper()
	var found []inspect
	if err := json.Unmarshal([]byte(s.must(t, s.env, "docker", "inspect", id)), &found); err != nil || len(found) != 1 {
		t.Fatalf("docker inspect %s: %v", id, err)
	}
	return found[0]
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
