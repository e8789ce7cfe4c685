//go:build cluster

package kubernetes

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton/tests/harness"
)

// TestInACluster promotes with kubectl against the real API server, its real controllers and the real Traefik. Pods are
// real processes that the test starts in the kubelet's place.
func TestInACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes")
	}
	c := startCluster(t)
	s := startStack(t, c)
	s.up()
	m := s.machine("one")
	for _, test := range []struct {
		name string
		run  func(m *machine)
	}{
		{"every manifest is taken", everyManifest},
		{"promoted there and back under load", thereAndBack},
		{"the report", theReport},
		{"the new color does not start", brokenBuild("baton:ends-at-once", "CrashLoopBackOff")},
		{"no such image", brokenBuild("baton:nowhere", "ErrImagePull")},
		{"the new color never gets ready", brokenBuild("baton:never-ready", "did not become ready")},
		{"the new color fails the smoke test", brokenBuild("baton:cannot-talk", "failed the smoke test")},
		{"the new color breaks sessions", breaksSessions},
		{"the new color dies during the bake", diesDuringTheBake},
		{"Redis away for a second", redisAway},
		{"killed at each step", killedAtEachStep},
		{"killed behind the switch, then rolled back", rolledBack},
		{"two promotes at once", twoAtOnce},
		{"the front door is down", doorDown},
	} {
		t.Run(test.name, func(t *testing.T) {
			stack := *s
			stack.T = t
			stack.settled()
			here := *m
			here.stack = &stack
			test.run(&here)
		})
	}
}

// settled makes both colors of the good build again, and waits until the cluster has nothing left to do.
func (s *stack) settled() {
	s.Helper()
	idle := other(s.active())
	s.image(idle, "baton:local")
	s.cluster.kubectl("scale", "deployment/baton-"+idle, "--replicas", "0", "--namespace", "baton")
	harness.Eventually(s.T, waitLimit, "nothing of the idle color runs", func() bool { return len(s.kubelet.processes(idle)) == 0 })
	s.cluster.kubectl("rollout", "status", "deployment/baton-"+other(idle), "--namespace", "baton", "--timeout=60s")
}

// everyManifest asks the API server, strictly, of what the other tests don't apply; nothing is kept.
func everyManifest(m *machine) {
	parts := map[string]string{}
	for _, overlay := range []string{"blue", "green", "local", "argo-rollouts", "production"} {
		parts[overlay] = filepath.Join(manifests, "overlays", overlay)
	}
	for _, component := range []string{"keda", "cert-manager"} {
		dir := filepath.Join(m.dir, "with-"+component)
		if err := os.Mkdir(dir, 0o755); err != nil {
			m.Fatal(err)
		}
		m.write("with-"+component+"/kustomization.yaml", fmt.Sprintf("resources: [%s]\ncomponents: [%s]\n",
			relative(m.T, dir, "overlays/production"), relative(m.T, dir, "components/"+component)))
		parts[component] = dir
	}
	for name, dir := range parts {
		taken := m.cluster.kubectl("apply", "--server-side", "--dry-run=server", "--validate=strict", "--force-conflicts",
			"--field-manager=check", "--kustomize", dir)
		m.Logf("%s: %d objects", name, strings.Count(taken, "serverside-applied"))
	}
}

func thereAndBack(m *machine) {
	load, door := harness.StartSoak(m.T, front, clients), harness.StartWatch(m.T, front)
	m.mustPromote()
	m.mustPromote()
	door.MustHaveSeen(m.T, "the front door", "blue", "green")
	load.Exact()
}

func theReport(m *machine) {
	load := harness.StartSoak(m.T, front, clients)
	to := other(m.active())
	p := m.begin("promote.sh", m.kubeconfig, nil, "--json", "--bake", "1")
	if code := p.Exit(m.T, scriptLimit); code != 0 {
		m.Fatalf("exit %d: %s", code, p.Stderr())
	}
	var report struct {
		Result, Driver, Active string
		SwitchMS               *int `json:"switch_ms"`
		Sessions               struct{ Before, Moved int }
		Canary                 struct{ Before, After int }
		Retirement             struct{ Done, Forced bool }
		Steps                  []struct{ Name string }
	}
	if err := json.Unmarshal([]byte(p.Stdout()), &report); err != nil {
		m.Fatalf("%v: %s", err, p.Stdout())
	}
	if report.Result != "promoted" || report.Driver != "kubernetes" || report.Active != to || report.SwitchMS == nil || len(report.Steps) != 9 ||
		report.Sessions.Before != clients || report.Sessions.Moved != clients || report.Canary.After != 4 ||
		!report.Retirement.Done || report.Retirement.Forced {
		m.Errorf("report: %s", p.Stdout())
	}
	m.Logf("%s", p.Stdout())
	load.Exact()
}
