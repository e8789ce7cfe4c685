package harness

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

const (
	slots       = 16384
	nodeTimeout = 1000 // ms of silence after which the others call a node dead
)

// Cluster is a Redis Cluster: masters, then as many replicas or none.
type Cluster struct {
	t       testing.TB
	Nodes   []*Redis
	ids     []string
	masters int
}

// StartCluster runs three masters with a replica each, and waits until every slot is served.
func StartCluster(t testing.TB, args ...string) *Cluster {
	t.Helper()
	return startCluster(t, 3, 3, args)
}

// StartMasters is StartCluster for as many masters as wanted, without replicas.
func StartMasters(t testing.TB, masters int, args ...string) *Cluster {
	t.Helper()
	return startCluster(t, masters, 0, args)
}

func startCluster(t testing.TB, masters, replicas int, args []string) *Cluster {
	t.Helper()
	c := &Cluster{t: t, masters: masters}
	for range masters + replicas {
		bus := FreePort(t)
		node := StartRedis(t, append([]string{
			"--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(bus), "--cluster-node-timeout", strconv.Itoa(nodeTimeout),
			"--cluster-require-full-coverage", "no", "--repl-diskless-sync-delay", "0", "--repl-timeout", "5", "--repl-ping-replica-period", "1",
		}, args...)...)
		if len(c.Nodes) > 0 {
			c.Nodes[0].Do(append(append([]string{"CLUSTER", "MEET"}, split(node.Addr)...), strconv.Itoa(bus))...)
		}
		c.Nodes, c.ids = append(c.Nodes, node), append(c.ids, node.Do("CLUSTER", "MYID"))
	}
	for i := range masters {
		c.Nodes[i].Do("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*slots/masters), strconv.Itoa((i+1)*slots/masters-1))
	}
	Eventually(t, settleWithin, "the nodes know one another", func() bool {
		for _, node := range c.Nodes {
			if !strings.Contains(node.Do("CLUSTER", "INFO"), fmt.Sprintf("cluster_known_nodes:%d\r\n", len(c.Nodes))) {
				return false
			}
		}
		return true
	})
	for i := range replicas {
		Eventually(t, settleWithin, "a replica takes its master", func() bool {
			return c.Nodes[masters+i].Do("CLUSTER", "REPLICATE", c.ids[i]) == "OK"
		})
	}
	c.WaitWhole()
	return c
}

// URL is its REDIS_URL.
func (c *Cluster) URL() string {
	var addrs []string
	for _, node := range c.Nodes {
		addrs = append(addrs, node.Addr)
	}
	return "redis+cluster://" + strings.Join(addrs, ",")
}

// Masters are the numbers of the nodes that say they are masters and serve slots.
func (c *Cluster) Masters() []int {
	var masters []int
	for i := range c.Nodes {
		if c.isMaster(i) {
			masters = append(masters, i)
		}
	}
	return masters
}

// Replica is the number of the node that follows a master.
func (c *Cluster) Replica(master int) int {
	c.t.Helper()
	for i, node := range c.Nodes {
		reply, err := node.try("INFO", "replication")
		if err == nil && strings.Contains(reply, "master_port:"+split(c.Nodes[master].Addr)[1]+"\r\n") {
			return i
		}
	}
	c.t.Fatalf("node %d has no replica", master)
	return -1
}

// WaitMaster waits until a node serves as a master.
func (c *Cluster) WaitMaster(node int) {
	c.t.Helper()
	Eventually(c.t, settleWithin, "the replica is the master", func() bool { return c.isMaster(node) })
}

func (c *Cluster) isMaster(node int) bool {
	flags, spans := c.myself(node)
	return strings.Contains(flags, "master") && len(spans) > 0
}

// WaitWhole waits until every node says that all slots are served, and each master has a replica in step with it where
// there are replicas.
func (c *Cluster) WaitWhole() {
	c.t.Helper()
	Eventually(c.t, settleWithin, "all masters serve, their replicas in step", func() bool {
		masters := c.Masters()
		for _, node := range c.Nodes {
			reply, err := node.try("CLUSTER", "INFO")
			if err != nil || !strings.Contains(reply, "cluster_state:ok") || !strings.Contains(reply, "cluster_slots_ok:16384") {
				return false
			}
		}
		for _, m := range masters {
			reply, err := c.Nodes[m].try("INFO", "replication")
			if err != nil || (len(c.Nodes) > c.masters && !strings.Contains(reply, "state=online")) {
				return false
			}
		}
		return len(masters) == c.masters
	})
}

// Slot is where a session lives.
func (c *Cluster) Slot(session string) int {
	c.t.Helper()
	slot, err := strconv.Atoi(c.Nodes[0].Do("CLUSTER", "KEYSLOT", Key(session)))
	if err != nil {
		c.t.Fatal(err)
	}
	return slot
}

// Occupied are the slots in which a master holds something.
func (c *Cluster) Occupied(master int) []int {
	c.t.Helper()
	seen := map[string]bool{}
	var occupied []int
	for key := range strings.FieldsSeq(c.Nodes[master].Do("KEYS", "*")) {
		number := c.Nodes[master].Do("CLUSTER", "KEYSLOT", key)
		slot, err := strconv.Atoi(number)
		if err != nil {
			c.t.Fatal(err)
		}
		if !seen[number] {
			seen[number] = true
			occupied = append(occupied, slot)
		}
	}
	return occupied
}

// Move takes a slot from one master to another as redis-cli --cluster reshard does, its keys one by one.
func (c *Cluster) Move(slot, from, to int) {
	c.t.Helper()
	number, host := strconv.Itoa(slot), split(c.Nodes[to].Addr)
	c.Nodes[to].Do("CLUSTER", "SETSLOT", number, "IMPORTING", c.ids[from])
	c.Nodes[from].Do("CLUSTER", "SETSLOT", number, "MIGRATING", c.ids[to])
	for {
		key, _, _ := strings.Cut(c.Nodes[from].Do("CLUSTER", "GETKEYSINSLOT", number, "1"), "\n")
		if key == "" {
			break
		}
		c.Nodes[from].Do("MIGRATE", host[0], host[1], key, "0", "5000")
	}
	for _, node := range []int{to, from} {
		c.Nodes[node].Do("CLUSTER", "SETSLOT", number, "NODE", c.ids[to])
	}
}

// Serves tells whether a node is the master of a slot.
func (c *Cluster) Serves(node, slot int) bool {
	_, spans := c.myself(node)
	for _, span := range spans {
		first, last, found := strings.Cut(span, "-")
		if !found {
			last = first
		}
		low, _ := strconv.Atoi(first)
		high, _ := strconv.Atoi(last)
		if low <= slot && slot <= high {
			return true
		}
	}
	return false
}

// myself is what a node says of itself: its flags, and the slots it serves.
func (c *Cluster) myself(node int) (flags string, spans []string) {
	reply, err := c.Nodes[node].try("CLUSTER", "NODES")
	for line := range strings.Lines(reply) {
		if fields := strings.Fields(line); err == nil && len(fields) >= 8 && strings.Contains(fields[2], "myself") {
			return fields[2], fields[8:]
		}
	}
	return "", nil
}
