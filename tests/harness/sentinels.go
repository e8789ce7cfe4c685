package harness

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// masterName is what the Sentinels call their master.
const masterName = "mymaster"

// How fast the Sentinels of a test act: a master that is silent for downAfter is down.
const (
	downAfter       = time.Second
	failoverTimeout = 5 * time.Second
	settleWithin    = 60 * time.Second
)

// Sentinels is a master with two replicas and three Sentinels that watch over them, each reached over a link that can
// be cut.
type Sentinels struct {
	t     testing.TB
	Nodes []*Redis // each with its Link
	Links []*Link  // before the nodes
	Doors []*Link  // before the Sentinels

	sentinels []*Process
}

// StartSentinels runs them and waits until all know one another. More arguments are passed on to each Redis.
func StartSentinels(t testing.TB, args ...string) *Sentinels {
	t.Helper()
	s := &Sentinels{t: t}
	for i := range 3 {
		node := PrepareRedis(t)
		link := StartLink(t, node.Addr)
		node.args = append(announced(link), args...)
		if i > 0 {
			node.args = append(node.args, append([]string{"--replicaof"}, split(s.Links[0].Addr)...)...)
		}
		node.Start()
		s.Nodes, s.Links = append(s.Nodes, node), append(s.Links, link)
	}
	for range 3 {
		s.Doors = append(s.Doors, s.startSentinel())
	}
	s.WaitWhole()
	return s
}

// announced has a Redis tell others the address of its link, and makes it synchronise without waiting for more replicas.
func announced(link *Link) []string {
	addr := split(link.Addr)
	return []string{
		"--replica-announce-ip", addr[0], "--replica-announce-port", addr[1],
		"--repl-diskless-sync-delay", "0", "--repl-timeout", "5", "--repl-ping-replica-period", "1",
	}
}

func (s *Sentinels) startSentinel() *Link {
	s.t.Helper()
	port, dir := FreePort(s.t), s.t.TempDir()
	link := StartLink(s.t, fmt.Sprintf("127.0.0.1:%d", port))
	announce, master := split(link.Addr), split(s.Links[0].Addr)
	file := filepath.Join(dir, "sentinel.conf")
	text := fmt.Sprintf(`bind 127.0.0.1
port %d
dir %s
sentinel announce-ip %s
sentinel announce-port %s
sentinel monitor %s %s %s 2
sentinel down-after-milliseconds %[5]s %[8]d
sentinel failover-timeout %[5]s %[9]d
`, port, dir, announce[0], announce[1], masterName, master[0], master[1], downAfter.Milliseconds(), failoverTimeout.Milliseconds())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	path, _ := exec.LookPath("redis-server")
	s.sentinels = append(s.sentinels, Run(s.t, Command{Path: path, Args: []string{file, "--sentinel"}, Env: os.Environ(), Dir: dir}))
	return link
}

// FailedElections is how often so far a Sentinel stood for leader of a fail-over and got no majority. The next election
// is held after twice the failover-timeout.
func (s *Sentinels) FailedElections() int {
	n := 0
	for _, sentinel := range s.sentinels {
		n += strings.Count(sentinel.Stdout(), "-failover-abort-not-elected")
	}
	return n
}

// URL is their REDIS_URL.
func (s *Sentinels) URL() string {
	var addrs []string
	for _, door := range s.Doors {
		addrs = append(addrs, door.Addr)
	}
	return "redis+sentinel://" + strings.Join(addrs, ",") + "/" + masterName + "/0"
}

// Master is the number of the node that most Sentinels call the master, or -1.
func (s *Sentinels) Master() int {
	votes := map[string]int{}
	for _, door := range s.Doors {
		reply, err := (&Redis{t: s.t, Addr: door.backend}).try("SENTINEL", "GET-MASTER-ADDR-BY-NAME", masterName)
		if addr := strings.ReplaceAll(reply, "\n", ":"); err == nil {
			votes[addr]++
		}
	}
	for i, link := range s.Links {
		if votes[link.Addr] > len(s.Doors)/2 {
			return i
		}
	}
	return -1
}

// WaitFailover waits until another node than old is the master, and returns its number.
func (s *Sentinels) WaitFailover(old int) int {
	s.t.Helper()
	var now int
	Eventually(s.t, settleWithin, "the Sentinels name another master", func() bool {
		now = s.Master()
		return now >= 0 && now != old && s.is(now, "role:master")
	})
	return now
}

// WaitWhole waits until there is one master with two replicas that follow it, and every Sentinel could replace it.
func (s *Sentinels) WaitWhole() {
	s.t.Helper()
	Eventually(s.t, settleWithin, "a master with two replicas and three Sentinels", func() bool {
		master := s.Master()
		if master < 0 || !s.is(master, "role:master") {
			return false
		}
		for i := range s.Nodes {
			if i != master && !s.is(i, "role:slave", "master_link_status:up", "master_port:"+split(s.Links[master].Addr)[1]) {
				return false
			}
		}
		for _, door := range s.Doors {
			reply, err := (&Redis{t: s.t, Addr: door.backend}).try("INFO", "sentinel")
			if err != nil || !strings.Contains(reply, "status=ok,address="+s.Links[master].Addr+",slaves=2,sentinels=3") {
				return false
			}
		}
		return true
	})
}

func (s *Sentinels) is(node int, lines ...string) bool {
	reply, err := s.Nodes[node].try("INFO", "replication")
	for _, line := range lines {
		if err != nil || !strings.Contains(reply, line+"\r\n") {
			return false
		}
	}
	return err == nil
}

// split is a host and its port.
func split(addr string) []string {
	host, port, _ := net.SplitHostPort(addr)
	return []string{host, port}
}
