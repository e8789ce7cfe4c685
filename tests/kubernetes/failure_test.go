//go:build cluster

package kubernetes

import (
	"strings"
	"syscall"
	"time"

	"baton/tests/harness"
)

// broken are builds that fail, each in its own way, by their image. BATON is the real program, ANOTHER a Redis
// that no other build has.
var broken = map[string]string{
	"baton:ends-at-once":    `echo 'panic: the new build is broken' >&2; exit 1`,
	"baton:never-ready":     `unset REDIS_URL_FILE; REDIS_URL=redis://127.0.0.1:1 exec BATON "$@"`,
	"baton:cannot-talk":     `MESSAGE_RATE=1 exec BATON "$@"`,
	"baton:forgets-session": `unset REDIS_URL_FILE; REDIS_URL=ANOTHER exec BATON "$@"`,
}

// buildBroken writes them as programs.
func (s *stack) buildBroken() map[string]string {
	s.Helper()
	another := harness.StartRedis(s.T)
	builds := map[string]string{"baton:local": harness.Binary(s.T)}
	for image, script := range broken {
		text := "#!/bin/bash\n" + strings.NewReplacer("BATON", harness.Binary(s.T), "ANOTHER", another.URL()).Replace(script) + "\n"
		builds[image] = s.write(strings.ReplaceAll(image, ":", "-"), text)
	}
	return builds
}

// brokenBuild is a new color that never serves anybody: no connection but the script's own meets it.
func brokenBuild(image, sentence string) func(*machine) {
	return func(m *machine) {
		from := m.active()
		m.image(other(from), image)
		load, door := harness.StartSoak(m.T, front, clients), harness.StartWatch(m.T, front)
		m.mustBe(from, m.promote(nil), 1, sentence)
		door.MustHaveSeen(m.T, "the front door", from)
		load.Exact()
		m.settled()
		m.mustPromote()
	}
}

// breaksSessions is found behind the switch: by then some have met it.
func breaksSessions(m *machine) {
	from := m.active()
	m.image(other(from), "baton:forgets-session")
	m.mustBe(from, m.promote(nil), 1, "broke the canary session (count 3 on "+from+")")
	m.settled()
	m.mustPromote()
}

// at begins a promote and waits for a step of it.
func (m *machine) at(step string, args ...string) *harness.Process {
	m.Helper()
	p := m.begin("promote.sh", m.kubeconfig, nil, args...)
	harness.Eventually(m.T, scriptLimit, "promote is at its step "+step, func() bool {
		return strings.Contains(p.Stdout(), "==> "+step+":") || !p.Alive()
	})
	return p
}

// diesDuringTheBake: every pod of the new color is killed, and killed again when it is started anew.
func diesDuringTheBake(m *machine) {
	from := m.active()
	load := harness.StartSoak(m.T, front, clients)
	p := m.at("bake", "--bake", "20")
	for p.Alive() {
		for _, pid := range m.kubelet.processes(other(from)) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(syncEvery)
	}
	m.mustBe(from, result{p.Exit(m.T, scriptLimit), p.Stdout() + p.Stderr()}, 1, "broke during the bake")
	load.Exact()
	m.settled()
	m.mustPromote()
}

func redisAway(m *machine) {
	from := m.active()
	load := harness.StartSoak(m.T, front, clients)
	p := m.at("start")
	m.redis.Pause()
	time.Sleep(time.Second)
	m.redis.Resume()
	if code := p.Exit(m.T, scriptLimit); code != 0 && m.active() != from {
		m.Errorf("exit %d, and %s is active\n%s%s", code, m.active(), p.Stdout(), p.Stderr())
	}
	load.Exact()
}

// killedAtEachStep: the next run goes on, whatever it finds.
func killedAtEachStep(m *machine) {
	load, door := harness.StartSoak(m.T, front, clients), harness.StartWatch(m.T, front)
	for _, step := range []string{"start", "ready", "smoke", "canary", "switch", "verify", "bake", "retire"} {
		to := other(m.active())
		m.at(step, "--bake", "1").Kill()
		m.mustBe(to, m.promote(nil), 0, to+" is active")
	}
	door.MustHaveSeen(m.T, "the front door", "blue", "green")
	load.Exact()
}

func rolledBack(m *machine) {
	from := m.active()
	load := harness.StartSoak(m.T, front, clients)
	m.at("bake", "--bake", "20").Kill()
	if m.active() == from {
		m.Fatal("not switched at the bake")
	}
	p := m.begin("promote.sh", m.kubeconfig, nil, "rollback")
	m.mustBe(from, result{p.Exit(m.T, scriptLimit), p.Stdout() + p.Stderr()}, 0, from+" is active")
	load.Exact()
}

// twoAtOnce: of two machines one has the lock.
func twoAtOnce(m *machine) {
	to := other(m.active())
	second := m.machine("two")
	p := m.at("bake", "--bake", "15")
	if r := second.promote(nil); r.code != 3 || !strings.Contains(r.text, "another promote holds the lock") {
		m.Errorf("the second: exit %d\n%s", r.code, r.text)
	}
	m.mustBe(to, result{p.Exit(m.T, scriptLimit), p.Stdout() + p.Stderr()}, 0, to+" is active")
}

// doorDown: nothing is changed while nobody could be served.
func doorDown(m *machine) {
	from := m.active()
	m.door.Kill()
	m.mustBe(from, m.promote(nil), 1, "nothing was changed")
	m.openDoor()
	m.mustPromote()
}
