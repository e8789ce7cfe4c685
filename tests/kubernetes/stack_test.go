//go:build cluster

package kubernetes

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baton/tests/harness"
)

const (
	clients     = 20
	scriptLimit = 2 * time.Minute
	waitLimit   = 30 * time.Second
	front       = "http://127.0.0.1:8000"
	admin       = "http://127.0.0.1:9000"
)

// stack is the production overlay in the cluster, behind the real Traefik.
type stack struct {
	*testing.T
	cluster *cluster
	kubelet *kubelet
	redis   *harness.Redis
	door    *harness.Process // the real Traefik
	dir     string
	env     []string
}

func startStack(t *testing.T, c *cluster) *stack {
	t.Helper()
	s := &stack{T: t, cluster: c, redis: harness.StartRedis(t), dir: t.TempDir()}
	s.kubelet = startKubelet(t, s.cluster, s.buildBroken(), "node-a", "node-b")
	if _, err := exec.LookPath("traefik"); err != nil {
		harness.Skip(s.T, "traefik is not installed")
	}
	s.cluster.kubectl("create", "--filename", s.write("class.yaml", `{"apiVersion":"gateway.networking.k8s.io/v1","kind":"GatewayClass",
"metadata":{"name":"traefik"},"spec":{"controllerName":"traefik.io/gateway-controller"}}`))
	s.openDoor()
	s.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "BATON_DRIVER=kubernetes",
		"BATON_BIN=" + harness.Binary(t), "BATON_ENV_FILE=" + filepath.Join(s.dir, "none"), "BATON_OVERLAY=" + s.overlay(),
		"BATON_FRONT_URL=" + front, "BATON_ADMIN_URL=" + admin, "BLUE_REPLICAS=2", "GREEN_REPLICAS=2", "BATON_READY_TIMEOUT=8",
		"BATON_LEASE_SECONDS=6",
	}
	s.cluster.kubectl("create", "namespace", "baton")
	s.cluster.kubectl("create", "secret", "generic", "baton-redis", "--namespace", "baton", "--from-literal", "redis-url="+s.redis.URL())
	return s
}

// overlay is one as a user writes it: the image, a few settings, over what docker/kubernetes has for production.
func (s *stack) overlay() string {
	s.Helper()
	dir := filepath.Join(s.dir, "overlay")
	if err := os.Mkdir(dir, 0o755); err != nil {
		s.Fatal(err)
	}
	s.write("overlay/kustomization.yaml", fmt.Sprintf(`
resources: [%s, %s]
images: [{name: registry.example.com/baton, newName: baton, newTag: local}]
configMapGenerator:
  - {name: baton-settings, namespace: baton, literals: [DRAIN_SPREAD=500ms, LOG_LEVEL=warn]}
patches:
  - target: {kind: Deployment}
    patch: '[{"op": "replace", "path": "/spec/template/spec/containers/0/lifecycle/preStop/sleep/seconds", "value": 1}, {"op": "replace", "path": "/spec/minReadySeconds", "value": 1}]'
`, relative(s.T, dir, "overlays/production"), relative(s.T, dir, "promoter")))
	return dir
}

// openDoor runs Traefik as its Helm chart does, as far as Gateway API goes.
func (s *stack) openDoor() {
	s.Helper()
	s.door = s.cluster.run("traefik", "--entryPoints.web.address="+strings.TrimPrefix(front, "http://"),
		"--entryPoints.admin.address="+strings.TrimPrefix(admin, "http://"), "--providers.kubernetesGateway.endpoint="+s.cluster.api.base,
		"--providers.kubernetesGateway.token="+adminToken, "--providers.kubernetesGateway.certAuthFilePath="+s.cluster.certificate(),
		"--providers.providersThrottleDuration=50ms", "--global.checkNewVersion=false", "--global.sendAnonymousUsage=false")
}

// machine is a run directory of its own: another person's checkout.
type machine struct {
	*stack
	run        string
	kubeconfig string
}

// machine's kubectl has what the Role baton-promoter allows, and no more.
func (s *stack) machine(name string) *machine {
	s.Helper()
	m := &machine{stack: s, run: filepath.Join(s.dir, name)}
	if err := os.MkdirAll(m.run, 0o755); err != nil {
		s.Fatal(err)
	}
	token := strings.TrimSpace(s.cluster.kubectl("create", "token", "baton-promoter", "--namespace", "baton"))
	m.kubeconfig = s.cluster.config(name, token)
	return m
}

// result is what a script's run came to.
type result struct {
	code int
	text string
}

func (m *machine) begin(name, kubeconfig string, env []string, args ...string) *harness.Process {
	m.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "scripts", name))
	if err != nil {
		m.Fatal(err)
	}
	env = append(append(append([]string{}, m.env...), "BATON_RUN_DIR="+m.run, "BATON_KUBECTL=kubectl --kubeconfig "+kubeconfig), env...)
	return harness.Run(m.T, harness.Command{Path: "/bin/bash", Args: append([]string{path}, args...), Env: env})
}

func (m *machine) promote(env []string, args ...string) result {
	m.Helper()
	p := m.begin("promote.sh", m.kubeconfig, env, append([]string{"--bake", "1"}, args...)...)
	code := p.Exit(m.T, scriptLimit)
	return result{code, p.Stdout() + p.Stderr()}
}

// up is `stack.sh up`, as an administrator.
func (s *stack) up() {
	s.Helper()
	m := &machine{stack: s, run: filepath.Join(s.dir, "administrator")}
	p := m.begin("stack.sh", s.cluster.kubeconfig, nil, "up")
	if code := p.Exit(s.T, scriptLimit); code != 0 || strings.Contains(p.Stderr(), "Warning:") {
		s.Fatalf("up: %d\n%s%s", code, p.Stdout(), p.Stderr())
	}
}

// active is the color that has all the weight.
func (s *stack) active() string {
	s.Helper()
	for _, line := range strings.Split(s.cluster.kubectl("get", "httproute", "baton", "--namespace", "baton", "--output",
		`jsonpath={range .spec.rules[0].backendRefs[*]}{.name} {.weight}{"\n"}{end}`), "\n") {
		if color, found := strings.CutSuffix(line, " 1"); found {
			return strings.TrimPrefix(color, "baton-")
		}
	}
	return ""
}

// image is what a color's next pods are made of.
func (s *stack) image(color, image string) {
	s.Helper()
	s.cluster.kubectl("set", "image", "deployment/baton-"+color, "baton="+image, "--namespace", "baton")
}

// mustBe is how every run has to end: its code, what it says, the color that is active and the other one gone.
func (m *machine) mustBe(color string, r result, code int, sentence string) {
	m.Helper()
	if r.code != code || !strings.Contains(r.text, sentence) {
		m.Errorf("exit %d, want %d and %q\n%s", r.code, code, sentence, r.text)
	}
	if active := m.active(); active != color {
		m.Errorf("%s is active, want %s\n%s", active, color, r.text)
	}
	if left := m.kubelet.processes(other(color)); len(left) != 0 {
		m.Errorf("%s still runs: %v\n%s", other(color), left, r.text)
	}
	if n := len(m.kubelet.processes(color)); n < 2 {
		m.Errorf("%d replicas of %s run\n%s", n, color, r.text)
	}
	if journal := m.cluster.kubectl("get", "lease", "baton-promote", "--namespace", "baton", "--output", "jsonpath={.metadata.annotations.baton/journal}"); journal != "" {
		m.Errorf("the journal says that a promote is under way: %s", journal)
	}
}

// mustPromote promotes the idle color: whatever went before, that works.
func (m *machine) mustPromote() result {
	m.Helper()
	to := other(m.active())
	r := m.promote(nil)
	m.mustBe(to, r, 0, to+" is active")
	return r
}

func other(color string) string {
	if color == "blue" {
		return "green"
	}
	return "blue"
}

func (s *stack) write(name, content string) string {
	s.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		s.Fatal(err)
	}
	return path
}

// relative is the way to a part of docker/kubernetes: kustomize takes no absolute one.
func relative(t *testing.T, from, part string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(manifests, part))
	if err == nil {
		path, err = filepath.Rel(from, path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}
