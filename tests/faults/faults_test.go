package faults

import (
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"baton/tests/harness"
)

// fault is one thing that goes wrong, and is right again when it returns.
type fault struct {
	name   string
	happen func(c *cluster)
	steady bool // connections have to live through it: only they can repair what Redis has lost
	needs  need
}

// faultsInTurn are the faults of the suite: each leaves the cluster whole.
func faultsInTurn() []fault {
	var all []fault
	for _, some := range [][]fault{processFaults(), networkFaults(), redisFaults(), clockFaults(), switchFaults()} {
		all = append(all, some...)
	}
	return all
}

func processFaults() []fault {
	return []fault{
		{name: "SIGTERM of a process", happen: func(c *cluster) { c.end(c.replica(1), syscall.SIGTERM) }},
		{name: "kill -9 of a process", happen: func(c *cluster) { c.end(c.replica(2), syscall.SIGKILL) }},
		{name: "SIGSTOP of a process, shorter than COMMIT_TIMEOUT", happen: func(c *cluster) { c.stall(c.replica(1), lasting) }},
		{name: "SIGSTOP of a process, longer than COMMIT_TIMEOUT", happen: func(c *cluster) { c.stall(c.replica(2), outlasting) }},
		{name: "kill -9 of the front door", happen: func(c *cluster) { c.end("front", syscall.SIGKILL) }},
		{name: "SIGTERM of the front door", happen: func(c *cluster) { c.end("front", syscall.SIGTERM) }},
		{name: "SIGTERM of a process while Redis is paused", happen: func(c *cluster) {
			name := c.replica(1)
			c.redis.Pause()
			c.stack.Signal(name, syscall.SIGTERM)
			time.Sleep(lasting)
			c.redis.Resume()
			c.stack.Gone(name)
			c.stack.Up()
		}},
		{name: "kill -9 of Redis and of a process", happen: func(c *cluster) {
			name := c.replica(2)
			c.redis.Kill()
			c.stack.Signal(name, syscall.SIGKILL)
			c.redis.Start()
			c.stack.Gone(name)
			c.stack.Up()
		}},
	}
}

func networkFaults() []fault {
	both := func(w harness.Weather, d time.Duration) func(c *cluster) {
		return func(c *cluster) {
			during(d, w, c.front)
			during(d, w, c.store)
		}
	}
	hole := harness.Weather{Hole: true}
	return []fault{
		{name: "half of the clients cut", happen: func(c *cluster) { c.front.Cut(2) }},
		{name: "all clients cut", happen: func(c *cluster) { c.front.Cut(1) }},
		{name: "servers cut from Redis", happen: func(c *cluster) { c.store.Cut(1) }},
		{name: "black hole before the front door, and before Redis", happen: both(hole, lasting)},
		{name: "black hole before Redis, longer than COMMIT_TIMEOUT", happen: func(c *cluster) { during(outlasting, hole, c.store) }},
		{name: "network throttled", happen: both(harness.Weather{Rate: 20_000}, lasting)},
		{name: "network chopped and delayed", happen: both(harness.Weather{Chunk: 7, Delay: 5 * time.Millisecond, Jitter: 30 * time.Millisecond}, lasting)},
	}
}

func redisFaults() []fault {
	return []fault{
		{name: "Redis paused", happen: func(c *cluster) { c.pauseRedis(lasting) }},
		{name: "Redis paused, longer than COMMIT_TIMEOUT", happen: func(c *cluster) { c.pauseRedis(outlasting) }},
		{name: "Redis killed, restarted with its data", happen: func(c *cluster) { c.redis.Restart() }},
		{name: "Redis killed, restarted without its data", steady: true, happen: func(c *cluster) { c.redis.RestartEmpty() }},
		{name: "Redis out of memory", happen: func(c *cluster) {
			c.redis.Do("CONFIG", "SET", "maxmemory", "1")
			time.Sleep(lasting)
			c.redis.Do("CONFIG", "SET", "maxmemory", "0")
		}},
		{name: "Redis handed over to a replica and back, read-only meanwhile", happen: func(c *cluster) { c.handOver() }},
		{name: "Redis stalls writes, its connections and scripts gone", happen: func(c *cluster) {
			c.redis.Do("CLIENT", "PAUSE", strconv.Itoa(int(lasting.Milliseconds())), "WRITE")
			c.redis.Do("SCRIPT", "FLUSH")
			c.redis.Do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
		}},
		{name: "Redis 100 ms away", happen: func(c *cluster) {
			during(2*lasting, harness.Weather{Delay: 50 * time.Millisecond, Jitter: 20 * time.Millisecond}, c.store)
		}},
		{name: "Redis's disk full", needs: smallDisk, happen: func(c *cluster) {
			c.redis.FillDisk()
			harness.Eventually(c.t, 30*time.Second, "Redis gives up on a full disk", func() bool { return !c.redis.Alive() })
			c.redis.FreeDisk()
			c.redis.Start()
		}},
	}
}

func clockFaults() []fault {
	return []fault{
		{name: "Redis's clock 25 minutes ahead, then behind", needs: ownClock, happen: func(c *cluster) {
			c.redis.Step(25 * time.Minute)
			time.Sleep(lasting)
			c.redis.Step(-25 * time.Minute)
			time.Sleep(lasting)
			c.redis.Step(0)
		}},
		{name: "Redis's clock ahead by more than SESSION_TTL", needs: ownClock, steady: true, happen: func(c *cluster) {
			c.redis.Step(2 * time.Hour)
			c.crowd.waitProgress(c.t)
			c.redis.Step(0)
		}},
		{name: "the clients' clocks an hour back, then right", happen: func(c *cluster) {
			c.crowd.skew.Store(-time.Hour.Microseconds())
			c.front.Cut(2)
			time.Sleep(lasting)
			c.crowd.skew.Store(0)
		}},
	}
}

func switchFaults() []fault {
	return []fault{
		{name: "promotion", happen: func(c *cluster) { c.promote() }},
		{name: "promotion and rollback", happen: func(c *cluster) {
			c.promote("--no-retire")
			c.promote("rollback")
		}},
		{name: "promotion killed in its bake, then again", happen: func(c *cluster) {
			promote := c.stack.Begin("promote.sh", nil, "--bake", "4")
			c.stack.At("bake")
			promote.Kill()
			c.promote()
		}},
		{name: "kill -9 of the new color in the bake: rolled back", happen: func(c *cluster) {
			promote := c.stack.Begin("promote.sh", nil, "--bake", "4")
			c.stack.At("bake")
			c.stack.Signal(c.replica(1), syscall.SIGKILL)
			if code := promote.Exit(c.t, time.Minute); code != 1 {
				c.t.Errorf("promote.sh ended with %d, want 1\n%s%s", code, promote.Stdout(), promote.Stderr())
			}
		}},
	}
}

// end ends a process of the stack, waits for it, and starts what is missing.
func (c *cluster) end(name string, sig syscall.Signal) {
	c.stack.Signal(name, sig)
	c.stack.Gone(name)
	c.stack.Up()
}

func (c *cluster) stall(name string, d time.Duration) {
	c.stack.Signal(name, syscall.SIGSTOP)
	time.Sleep(d)
	c.stack.Signal(name, syscall.SIGCONT)
}

func (c *cluster) pauseRedis(d time.Duration) {
	c.redis.Pause()
	time.Sleep(d)
	c.redis.Resume()
}

// during is a network's weather for a while.
func during(d time.Duration, w harness.Weather, on *harness.Balancer) {
	on.Set(w)
	time.Sleep(d)
	on.Set(harness.Weather{})
}

func (c *cluster) promote(args ...string) {
	c.t.Helper()
	r := c.stack.Script("promote.sh", nil, append(args, "--bake", "1")...)
	if r.Code != 0 {
		c.t.Errorf("promote.sh %v: %d\n%s", args, r.Code, r.Text)
	}
	_, steps, _ := strings.Cut(r.Text, "steps  ")
	c.t.Logf("promote.sh %v: %s", args, steps)
}

// handOver makes Redis the replica of a new master, as an operator does, and then the master again. Nothing may be lost
// by it: each hand-over waits until the replica has everything.
func (c *cluster) handOver() {
	c.t.Helper()
	other := harness.StartRedis(c.t)
	defer other.Kill()
	follow := func(replica, master *harness.Redis) {
		host, port, _ := net.SplitHostPort(master.Addr)
		replica.Do("REPLICAOF", host, port)
		c.waitRole(master, "state=online")
	}
	follow(other, c.redis)
	c.redis.Do(append([]string{"FAILOVER", "TO"}, strings.Split(other.Addr, ":")...)...)
	c.waitRole(c.redis, "role:slave", "master_link_status:up")
	time.Sleep(lasting)
	other.Do(append([]string{"FAILOVER", "TO"}, strings.Split(c.redis.Addr, ":")...)...)
	c.waitRole(c.redis, "role:master")
}

func (c *cluster) waitRole(r *harness.Redis, lines ...string) {
	c.t.Helper()
	harness.Eventually(c.t, 30*time.Second, strings.Join(lines, ", "), func() bool {
		info := r.Do("INFO", "replication")
		for _, line := range lines {
			if !strings.Contains(info, line) {
				return false
			}
		}
		return true
	})
}
