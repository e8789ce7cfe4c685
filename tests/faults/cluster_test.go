package faults

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
	commitTimeout = 4 * time.Second
	lasting       = 1500 * time.Millisecond               // how long a state goes on: longer than a try of a commit
	outlasting    = commitTimeout + 1500*time.Millisecond // longer than any commit may wait
)

// cluster is a local stack with the real scripts and front door, two processes a color, a real Redis, and a network
// before the front door and one before Redis.
type cluster struct {
	t     *testing.T
	redis *harness.Redis
	stack *harness.Stack
	front *harness.Balancer // between the clients and the front door
	store *harness.Balancer // between the servers and Redis
	crowd *crowd
	lacks map[need]string // what this machine can't do, and why
}

// need is what not every machine has.
type need string

const (
	smallDisk need = "disk"
	ownClock  need = "clock"
)

func startCluster(t *testing.T) *cluster {
	t.Helper()
	if _, err := exec.LookPath("traefik"); err != nil && os.Getenv("BATON_NO_SKIP") != "" {
		t.Fatal("traefik is not installed, and BATON_NO_SKIP is set")
	}
	c := &cluster{t: t, redis: harness.PrepareRedis(t), lacks: map[need]string{}}
	for what, why := range map[need]string{smallDisk: c.redis.Disk(), ownClock: c.redis.Clock()} {
		if why != "" {
			c.lacks[what] = why
		}
	}
	c.redis.Start()
	c.store = harness.Balance(t, c.redis.Addr)
	c.stack = harness.NewStack(t, "BATON_STORE=builtin", "BLUE_REPLICAS=2", "GREEN_REPLICAS=2", "BATON_READY_TIMEOUT=15",
		"COMMIT_TIMEOUT="+commitTimeout.String(), "HEARTBEAT_INTERVAL=1s", "DRAIN_SPREAD=1s", "MAX_CONNECTIONS_PER_ADDRESS=0")
	c.stack.Set("BATON_BIN=" + c.overNetwork())
	c.stack.Up()
	c.front = harness.Balance(t, strings.TrimPrefix(c.stack.Front(), "http://"))
	return c
}

// overNetwork is the binary under test, with a REDIS_URL that leads over the network.
func (c *cluster) overNetwork() string {
	path := filepath.Join(c.stack.Run, "baton")
	script := fmt.Sprintf("#!/bin/sh\nREDIS_URL=redis://%s/0 exec %s \"$@\"\n", c.store.Addr, harness.Binary(c.t))
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// replica is a process of the active color.
func (c *cluster) replica(i int) string { return fmt.Sprintf("%s-%d", c.stack.Active(), i) }

// url is the chat endpoint as clients reach it.
func (c *cluster) url() string { return "ws://" + c.front.Addr + "/ws/chat/" }
