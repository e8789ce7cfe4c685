//go:build cluster

package kubernetes

import (
	"bufio"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
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
	adminToken   = "administrator"
	apiAddress   = "10.244.255.1" // loopback is no address that an API server may advertise
	startsWithin = 90 * time.Second
)

// cluster is a control plane: etcd, the real API server, controllers and scheduler. Its nodes are played (kubelet_test.go).
type cluster struct {
	t          *testing.T
	dir        string
	api        *api
	kubeconfig string
	server     *harness.Process
	serverArgs []string
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	if os.Getenv(envInside) == "" {
		harness.Skip(t, "no network namespace can be made (unshare, ip)")
	}
	for _, program := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"} {
		if _, err := exec.LookPath(program); err != nil {
			harness.Skip(t, program+" is not installed (make cluster builds Kubernetes; Debian has etcd-server)")
		}
	}
	c := &cluster{t: t, dir: t.TempDir(), api: newAPI("https://"+apiAddress+":6443", adminToken)}
	c.kubeconfig = c.config("admin", adminToken)
	c.startServer()
	c.run("kube-controller-manager", "--kubeconfig", c.kubeconfig, "--use-service-account-credentials=false",
		"--service-account-private-key-file", filepath.Join(c.dir, "sa.key"), "--root-ca-file", c.certificate(),
		"--leader-elect=false", "--bind-address=127.0.0.1", "--concurrent-deployment-syncs=2", "--allocate-node-cidrs=false")
	c.run("kube-scheduler", "--kubeconfig", c.kubeconfig, "--leader-elect=false", "--bind-address=127.0.0.1")
	c.applyCRDs()
	return c
}

func (c *cluster) startServer() {
	c.t.Helper()
	etcd := fmt.Sprintf("http://127.0.0.1:%d", harness.FreePort(c.t))
	peer := fmt.Sprintf("http://127.0.0.1:%d", harness.FreePort(c.t))
	c.run("etcd", "--data-dir", filepath.Join(c.dir, "etcd"), "--listen-client-urls", etcd, "--advertise-client-urls", etcd,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer, "--unsafe-no-fsync")
	key := c.accountKey()
	c.write("tokens.csv", adminToken+",admin,admin,system:masters\n")
	c.serverArgs = []string{
		"--etcd-servers", etcd, "--bind-address", apiAddress, "--advertise-address", apiAddress, "--secure-port=6443",
		"--cert-dir", filepath.Join(c.dir, "certs"), "--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.96.0.0/16",
		"--token-auth-file", filepath.Join(c.dir, "tokens.csv"), "--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file", key, "--service-account-signing-key-file", key,
	}
	c.server = c.run("kube-apiserver", c.serverArgs...)
	c.serving()
}

// serving waits until the API server is ready.
func (c *cluster) serving() {
	c.t.Helper()
	harness.Eventually(c.t, startsWithin, "the API server is ready", func() bool {
		if !c.server.Alive() {
			c.t.Fatalf("kube-apiserver ended: %s", c.server.Stderr())
		}
		return c.api.call("GET", "/api/v1/namespaces/default", asJSON, nil, nil) == nil
	})
}

func (c *cluster) run(name string, args ...string) *harness.Process {
	c.t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		c.t.Fatal(err)
	}
	return harness.Run(c.t, harness.Command{Path: path, Args: args, Env: os.Environ()})
}

// certificate is the API server's, signed by itself.
func (c *cluster) certificate() string { return filepath.Join(c.dir, "certs", "apiserver.crt") }

// config writes a kubeconfig for a token and returns its path.
func (c *cluster) config(name, token string) string {
	c.t.Helper()
	return c.write(name+".kubeconfig", fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: test}}]
clusters: [{name: test, cluster: {server: "https://%s:6443", certificate-authority: %q}}]
users: [{name: test, user: {token: %q}}]
`, apiAddress, c.certificate(), token))
}

func (c *cluster) write(name, content string) string {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// accountKey makes the key that service accounts' tokens are signed with.
func (c *cluster) accountKey() string {
	c.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.write("sa.key", string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})))
}

// kubectl must succeed, and the API server must have nothing to warn of.
func (c *cluster) kubectl(args ...string) string {
	c.t.Helper()
	out, err := c.try(args...)
	if err != nil || strings.Contains(out, "Warning:") {
		c.t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (c *cluster) try(args ...string) (string, error) {
	cmd := exec.Command("kubectl", append([]string{"--kubeconfig", c.kubeconfig}, args...)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// applyCRDs takes them out of the Go modules that .ci/kubernetes/crds.txt names: nothing of theirs is kept here.
func (c *cluster) applyCRDs() {
	c.t.Helper()
	list, err := os.Open("../../.ci/kubernetes/crds.txt")
	if err != nil {
		c.t.Fatal(err)
	}
	defer list.Close()
	args := []string{"apply", "--server-side"}
	for lines := bufio.NewScanner(list); lines.Scan(); {
		module, pattern, _ := strings.Cut(lines.Text(), " ")
		files, err := filepath.Glob(filepath.Join(c.moduleDir(module), pattern))
		if err != nil || len(files) == 0 {
			c.t.Fatalf("%s has no %s (%v)", module, pattern, err)
		}
		for _, file := range files {
			args = append(args, "--filename", file)
		}
	}
	if out, err := c.try(args...); err != nil {
		c.t.Fatalf("CRDs: %v\n%s", err, out)
	}
	c.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
}

// moduleDir is where the module cache has it; a download would need a network.
func (c *cluster) moduleDir(module string) string {
	c.t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json", module)
	cmd.Dir, cmd.Env = c.dir, append(os.Environ(), "GOPROXY=off", "GOSUMDB=off", "GOFLAGS=-mod=mod")
	out, err := cmd.Output()
	var found struct{ Dir, Error string }
	if json.Unmarshal(out, &found) != nil || err != nil || found.Dir == "" {
		harness.Skip(c.t, "the module cache has no "+module+" (go mod download "+module+"): "+found.Error)
	}
	return found.Dir
}
