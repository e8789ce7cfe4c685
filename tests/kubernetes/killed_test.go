package kubernetes

import (
	"strconv"
	"strings"
	"syscall"

	"baton/tests/harness"
)

// killedAtEachStep: the active color serves on, and the next run promotes, whatever it finds.
func killedAtEachStep(m, _ *machine) {
	load, door := harness.StartSoak(m.T, front, clients), harness.StartWatch(m.T, front)
	for _, step := range []string{"start", "ready", "smoke", "canary", "switch", "verify", "bake", "retire"} {
		to := other(m.active())
		r := m.promote(hook(step, killPromote))
		if r.code != -1 {
			m.Fatalf("killed at %s: exit %d\n%s", step, r.code, r.text)
		}
		r = m.promote(nil)
		m.mustBe(to, r, 0, "was stopped at its step '"+step+"'")
	}
	door.MustHaveSeen(m.T, "the front door", "blue", "green")
	load.Exact()
}

// killedThenElsewhere: lock and journal are in the cluster. What keeps the lock is killed too, as by a machine's death.
func killedThenElsewhere(m, elsewhere *machine) {
	load := harness.StartSoak(m.T, front, clients)
	to := other(m.active())
	m.promote(hook("bake", `kill -9 -- $(pgrep --full "^/bin/bash .*/promote.sh") "$pid"`))
	status := elsewhere.begin("promote.sh", elsewhere.kubeconfig, nil, "status")
	status.Exit(m.T, scriptLimit)
	if !strings.Contains(status.Stdout(), "at its step 'bake' (on another machine)") {
		m.Errorf("status elsewhere: %s%s", status.Stdout(), status.Stderr())
	}
	r := elsewhere.promote(nil)
	elsewhere.mustBe(to, r, 0, "looking for 6 s whether it lives")
	if !strings.Contains(r.text, "was stopped at its step 'bake'") {
		m.Errorf("it does not tell of the other one\n%s", r.text)
	}
	load.Exact()
}

// twoAtOnce: the second one changes nothing, wherever it runs.
func twoAtOnce(m, elsewhere *machine) {
	to := other(m.active())
	first := m.begin("promote.sh", m.kubeconfig, nil, "--bake", "12")
	m.at("bake")
	second := elsewhere.promote(nil)
	if second.code != 3 || !strings.Contains(second.text, "another promote holds the lock Lease baton/baton-promote of ") {
		m.Errorf("elsewhere: exit %d, want 3\n%s", second.code, second.text)
	}
	code := first.Exit(m.T, scriptLimit)
	m.mustBe(to, result{code, first.Stdout() + first.Stderr()}, 0, to+" is active")
}

func rollbackDuringABake(m, _ *machine) {
	from := m.active()
	load := harness.StartSoak(m.T, front, clients)
	first := m.begin("promote.sh", m.kubeconfig, nil, "--bake", "60")
	m.at("bake")
	back := m.script("promote.sh", m.kubeconfig, nil, "rollback")
	code := back.Exit(m.T, scriptLimit)
	m.mustBe(from, result{code, back.Stdout() + back.Stderr()}, 0, "the promote under way was stopped, "+from+" is active")
	if code := first.Exit(m.T, scriptLimit); code != 1 {
		m.Errorf("the promote that was stopped: exit %d, want 1\n%s", code, first.Stderr())
	}
	load.Exact()
}

func itoa(n int) string { return strconv.Itoa(n) }

// rolledOut: a rolling restart by the Deployment's own strategy.
func rolledOut(m, _ *machine) {
	color := m.active()
	load, door := harness.StartSoak(m.T, front, clients), harness.StartWatch(m.T, front)
	m.cluster.kubectl("rollout", "restart", "deployment/baton-"+color, "--namespace", "baton")
	m.cluster.kubectl("rollout", "status", "deployment/baton-"+color, "--namespace", "baton", "--timeout=90s")
	load.Connected()
	door.MustHaveSeen(m.T, "the front door", color)
	load.Exact()
}

// nodeDrained: `kubectl drain` evicts through the PodDisruptionBudget, and what was there comes up elsewhere.
func nodeDrained(m, _ *machine) {
	color := m.active()
	load, door := harness.StartSoak(m.T, front, clients), harness.StartWatch(m.T, front)
	m.cluster.kubectl("uncordon", "node-b")
	m.cluster.kubectl("scale", "deployment/baton-"+color, "--replicas", "3", "--namespace", "baton")
	m.cluster.kubectl("rollout", "status", "deployment/baton-"+color, "--namespace", "baton", "--timeout=60s")
	before := m.nodes(color)
	if before["node-a"] == 0 || before["node-b"] == 0 {
		m.Errorf("the replicas are not spread: %v", before)
	}
	out, err := m.cluster.try("drain", "node-a", "--timeout=100s", "--ignore-daemonsets")
	if err != nil {
		m.Errorf("drain: %v\n%s", err, out)
	}
	harness.Eventually(m.T, waitLimit, "nothing runs on the node", func() bool { return m.nodes(color)["node-a"] == 0 })
	m.cluster.kubectl("uncordon", "node-a")
	m.cluster.kubectl("rollout", "status", "deployment/baton-"+color, "--namespace", "baton", "--timeout=60s")
	load.Connected()
	door.MustHaveSeen(m.T, "the front door", color)
	load.Exact()
}

// nodes counts a color's pods by their node.
func (s *stack) nodes(color string) map[string]int {
	s.Helper()
	count := map[string]int{}
	for _, name := range strings.Fields(s.cluster.kubectl("get", "pods", "--namespace", "baton", "--selector", "color="+color,
		"--output", "jsonpath={.items[*].spec.nodeName}")) {
		count[name]++
	}
	return count
}

// replicaKilled is a spot instance that goes without a word: its clients resume at the others.
func replicaKilled(m, _ *machine) {
	color := m.active()
	load := harness.StartSoak(m.T, front, clients)
	for _, pid := range m.kubelet.processes(color) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			m.Fatal(err)
		}
		break
	}
	load.Connected()
	m.cluster.kubectl("rollout", "status", "deployment/baton-"+color, "--namespace", "baton", "--timeout=60s")
	load.Exact()
}
