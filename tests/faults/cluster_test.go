package faults

import (
	"net"
	"strconv"
	"testing"
	"time"

	"baton/tests/harness"
)

// lasting is how long a fault goes on that is a state and no event: longer than a try, shorter than COMMIT_TIMEOUT.
const lasting = 1500 * time.Millisecond

// cluster is two colors that share a Redis, behind a balancer.
type cluster struct {
	t        *testing.T
	redis    *harness.Redis
	servers  [2]*harness.Server
	env      [2]harness.Env
	balancer *harness.Balancer
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, redis: harness.StartRedis(t)}
	for i, color := range []string{"blue", "green"} {
		c.env[i] = harness.Env{"REDIS_URL": c.redis.URL(), "COLOR": color, "HEARTBEAT_INTERVAL": "1s", "DRAIN_SPREAD": "1s"}
		c.servers[i] = harness.Start(t, c.env[i])
	}
	c.balancer = harness.Balance(t, c.servers[0].Addr, c.servers[1].Addr)
	return c
}

// fault is one thing that goes wrong, and is right again when it returns.
type fault struct {
	name   string
	happen func(c *cluster)
}

// faultsInTurn are the faults of the suite: each leaves the cluster whole.
func faultsInTurn() []fault {
	return []fault{
		{"SIGTERM of a process", func(c *cluster) { c.terminate(0) }},
		{"connections cut", func(c *cluster) { c.balancer.Cut(2) }},
		{"kill -9 of a process", func(c *cluster) { c.kill(1) }},
		{"Redis paused", func(c *cluster) { c.pauseRedis() }},
		{"Redis killed and restarted", func(c *cluster) { c.redis.Restart() }},
		{"all connections cut", func(c *cluster) { c.balancer.Cut(1) }},
		{"SIGTERM while Redis is paused", func(c *cluster) {
			c.redis.Pause()
			c.servers[1].Terminate()
			c.servers[1].WaitNotReady()
			c.redis.Resume()
			c.restart(1, 0)
		}},
		{"kill -9 of Redis and of a process", func(c *cluster) {
			c.redis.Kill()
			c.servers[0].Kill()
			c.redis.Start()
			c.restart(0, -1)
		}},
		{"Redis out of memory", func(c *cluster) {
			c.redis.Do("CONFIG", "SET", "maxmemory", "1")
			time.Sleep(lasting)
			c.redis.Do("CONFIG", "SET", "maxmemory", "0")
		}},
		{"Redis read-only, as after a fail-over", func(c *cluster) {
			c.redis.Do("REPLICAOF", "127.0.0.1", "1")
			time.Sleep(lasting)
			c.redis.Do("REPLICAOF", "NO", "ONE")
		}},
		{"Redis slow, its connections and scripts gone", func(c *cluster) {
			c.redis.Do("CLIENT", "PAUSE", strconv.Itoa(int(lasting.Milliseconds())), "WRITE")
			c.redis.Do("SCRIPT", "FLUSH")
			c.redis.Do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
		}},
		{"process stopped and continued", func(c *cluster) { c.stall(0) }},
	}
}

func (c *cluster) terminate(i int) {
	c.servers[i].Terminate()
	c.restart(i, 0)
}

func (c *cluster) kill(i int) {
	c.servers[i].Kill()
	c.restart(i, -1)
}

// restart waits for the process's end, checks how it ended and starts it again on its port.
func (c *cluster) restart(i, wantCode int) {
	c.t.Helper()
	if code := c.servers[i].Exit(c.t, 20*time.Second); code != wantCode {
		c.t.Errorf("exit code %d, want %d", code, wantCode)
	}
	_, port, _ := net.SplitHostPort(c.servers[i].Addr)
	n, _ := strconv.Atoi(port)
	c.servers[i] = harness.StartOn(c.t, n, c.env[i])
	c.servers[i].WaitReady()
}

func (c *cluster) pauseRedis() {
	c.redis.Pause()
	time.Sleep(lasting)
	c.redis.Resume()
}
