package kubernetes

import (
	"encoding/json"
	"strings"
	"syscall"
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
	t.Run("every overlay is accepted", c.accepted)
	t.Run("what breaks the rules is refused", c.refused)
	s := startStack(t, c)
	s.up()
	m, elsewhere := s.machine("one"), s.machine("two")
	for _, test := range []struct {
		name string
		run  func(m, elsewhere *machine)
	}{
		{"promoted there and back under load", thereAndBack},
		{"the report", theReport},
		{"the new color does not start", doesNotStart},
		{"the new color's image is not to be had", noImage},
		{"the new color never gets ready", neverReady},
		{"the new color fails the smoke test", failsSmoke},
		{"the new color breaks sessions", breaksSessions},
		{"the new color breaks during the bake", breaksDuringTheBake},
		{"the new color dies during the switch", diesDuringTheSwitch},
		{"the front door is down", frontDoorDown},
		{"the front door dies during the switch", frontDoorDies},
		{"Redis is away", redisAway},
		{"the route can't be patched", routeForbidden},
		{"the API server goes away during the bake", serverAway},
		{"killed at each step, then run again", killedAtEachStep},
		{"killed on one machine, then run on another", killedThenElsewhere},
		{"two promotes at once, on two machines", twoAtOnce},
		{"a rollback during a bake", rollbackDuringABake},
		{"the replicas restarted one by one", rolledOut},
		{"a node emptied", nodeDrained},
		{"a replica killed", replicaKilled},
	} {
		t.Run(test.name, func(t *testing.T) {
			stack := *s
			stack.T = t
			stack.settled()
			here, there := *m, *elsewhere
			here.stack, there.stack = &stack, &stack
			test.run(&here, &there)
			s.door = stack.door
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

func thereAndBack(m, _ *machine) {
	load, door := harness.StartSoak(m.T, front, clients), harness.StartWatch(m.T, front)
	m.mustPromote()
	m.mustPromote()
	door.MustHaveSeen(m.T, "the front door", "blue", "green")
	load.Exact()
}

func theReport(m, _ *machine) {
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

// brokenBuild fails before the switch: nobody may meet the new color at all.
func (m *machine) brokenBuild(image, sentence string) {
	m.Helper()
	from := m.active()
	load, door := harness.StartSoak(m.T, front, clients), harness.StartWatch(m.T, front)
	m.image(other(from), image)
	m.mustBe(from, m.promote(nil), 1, sentence)
	door.MustHaveSeen(m.T, "the front door", from)
	load.Exact()
}

func doesNotStart(m, _ *machine) {
	m.brokenBuild("baton:ends", other(m.active())+" did not start: pod baton-")
}
func noImage(m, _ *machine) { m.brokenBuild("baton:nowhere", "does not start: ErrImagePull") }
func neverReady(m, _ *machine) {
	m.brokenBuild("baton:unready", other(m.active())+" did not become ready within 8 s")
}
func failsSmoke(m, _ *machine) {
	m.brokenBuild("baton:mute", other(m.active())+" failed the smoke test")
}

func breaksSessions(m, _ *machine) {
	from := m.active()
	m.image(other(from), "baton:forgets")
	m.mustBe(from, m.promote(nil), 1, "broke the canary session (count 3 on "+from+")")
}

func breaksDuringTheBake(m, _ *machine) {
	from := m.active()
	load := harness.StartSoak(m.T, front, clients)
	m.mustBe(from, m.promote(hook("bake", m.killColor(other(from))), "--bake", "20"), 1, other(from)+" broke during the bake")
	load.Exact()
}

func diesDuringTheSwitch(m, _ *machine) {
	from := m.active()
	load := harness.StartSoak(m.T, front, clients)
	m.mustBe(from, m.promote(hook("switch", m.killColor(other(from)))), 1, "switched back to "+from+", "+other(from)+" was retired")
	load.Exact()
}

func frontDoorDown(m, _ *machine) {
	from := m.active()
	load := harness.StartSoak(m.T, front, clients)
	m.door.Kill()
	m.mustBe(from, m.promote(nil), 1, "does not answer: is it down?")
	m.openDoor()
	load.Exact()
	m.mustPromote()
}

func frontDoorDies(m, _ *machine) {
	from := m.active()
	load := harness.StartSoak(m.T, front, clients)
	pid := m.door.Pid()
	r := m.promote(hook("switch", "kill -9 "+itoa(pid)))
	if r.code != 4 || !strings.Contains(r.text, "the front door at "+front+" does not follow (does not answer)") {
		m.Errorf("exit %d, want 4 and how things stand\n%s", r.code, r.text)
	}
	if m.active() != from {
		m.Errorf("%s has the weight", m.active())
	}
	m.openDoor()
	load.Connected()
	m.mustPromote()
	load.Exact()
}

func redisAway(m, _ *machine) {
	from := m.active()
	load := harness.StartSoak(m.T, front, clients)
	resume := pause(m.redis.Process)
	r := m.promote([]string{"BATON_READY_TIMEOUT=4"})
	resume()
	m.mustBe(from, r, 1, "did not become ready within 4 s")
	load.Exact()
}

// routeForbidden is a file system's read-only folder: the switch can't be written.
func routeForbidden(m, _ *machine) {
	from := m.active()
	door := harness.StartWatch(m.T, front)
	m.cluster.kubectl("patch", "role", "baton-promoter", "--namespace", "baton", "--type", "json",
		"--patch", `[{"op":"replace","path":"/rules/0/verbs","value":["get"]}]`)
	r := m.promote(nil)
	m.cluster.kubectl("patch", "role", "baton-promoter", "--namespace", "baton", "--type", "json",
		"--patch", `[{"op":"replace","path":"/rules/0/verbs","value":["get","patch"]}]`)
	m.mustBe(from, r, 1, "HTTPRoute baton/baton can't be patched: ")
	if !strings.Contains(r.text, "orbidden") || !strings.Contains(r.text, "nothing was changed") {
		m.Errorf("it does not say why\n%s", r.text)
	}
	door.MustHaveSeen(m.T, "the front door", from)
}

// serverAway: the data plane does without the API server. A promote under way does not, and says how things stand.
func serverAway(m, _ *machine) {
	from := m.active()
	load := harness.StartSoak(m.T, front, clients)
	resume := pause(m.cluster.server)
	resume()
	r := m.promote(hook("bake", "kill -STOP "+itoa(m.cluster.server.Pid())), "--bake", "20")
	m.cluster.server.Signal(syscall.SIGCONT)
	m.cluster.serving()
	if r.code != 4 || !strings.Contains(r.text, "HTTPRoute baton/baton can't be patched") {
		m.Errorf("exit %d, want 4 and how things stand\n%s", r.code, r.text)
	}
	load.Connected()
	m.mustBe(from, m.promote(nil, "--to", from), 0, from+" is the active color already")
	load.Exact()
}
