//go:build linux

package bench

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"baton/tests/harness"
)

// scalePoint is what so many processes on so many Redis masters did with the same clients, a value a round.
type scalePoint struct {
	Store     string    `json:"store"`
	Masters   int       `json:"masters"`
	Processes int       `json:"processes"`
	InFlight  int       `json:"in_flight"`
	Rate      []float64 `json:"rate"`
	Server    []float64 `json:"server_us"`
	Redis     []float64 `json:"redis_us"`
	Group     []float64 `json:"group"` // sessions that one round trip to a node carried
	P99       []float64 `json:"p99_us"`
}

// scaleStore is Redis in one of the ways that Baton knows.
type scaleStore struct {
	name    string
	masters int
	nodes   []*harness.Redis
	env     harness.Env
}

const scaleClients = 1000

// BenchmarkScaling finds out what a message costs over Redis masters and over processes, and what waiting for a replica
// adds. Two cores carry all of it, so the rate can't grow with either: the claim is that the cost stays.
func BenchmarkScaling(b *testing.B) {
	var points []*scalePoint
	for _, store := range scaleStores(b) {
		for _, processes := range []int{1, 2, 3} {
			if processes > 1 && strings.HasPrefix(store.name, "master") {
				continue
			}
			for _, inFlight := range []int{16, 1} {
				p := &scalePoint{Store: store.name, Masters: store.masters, Processes: processes, InFlight: inFlight}
				points = append(points, p)
				for range rounds() {
					p.measure(b, store)
				}
				fmt.Printf("%-20s %d masters, %d processes, %d in flight: %.0f msg/s, server %.2f µs, Redis %.2f µs, %.0f sessions a round trip\n",
					p.Store, p.Masters, p.Processes, p.InFlight, median(p.Rate), median(p.Server), median(p.Redis), median(p.Group))
			}
		}
	}
	save(b, "scaling", report{Rows: points})
}

func scaleStores(b *testing.B) []scaleStore {
	b.Helper()
	plain := []string{"--appendonly", "no"}
	one := harness.StartRedis(b, plain...)
	stores := []scaleStore{{"one Redis", 1, []*harness.Redis{one}, harness.Env{"REDIS_URL": one.URL()}}}
	for masters := 1; masters <= 3; masters++ {
		c := harness.StartMasters(b, masters, plain...)
		stores = append(stores, scaleStore{"Cluster", masters, c.Nodes, harness.Env{"REDIS_URL": c.URL()}})
	}
	host, port, _ := strings.Cut(one.Addr, ":")
	replica := harness.StartRedis(b, append([]string{"--replicaof", host, port}, plain...)...)
	harness.Eventually(b, startWithin, "the replica follows", func() bool { return strings.Contains(one.Do("INFO", "replication"), "state=online") })
	both := []*harness.Redis{one, replica}
	return append(stores,
		scaleStore{"master and replica", 1, both, harness.Env{"REDIS_URL": one.URL()}},
		scaleStore{"master, waiting for its replica", 1, both, harness.Env{"REDIS_URL": one.URL(), "REDIS_WAIT_REPLICAS": "1"}})
}

// measure is a round: the clients dealt out to the processes, a load process each.
func (p *scalePoint) measure(b *testing.B, store scaleStore) {
	b.Helper()
	var redis []int
	for _, node := range store.nodes {
		redis = append(redis, node.Pid())
	}
	var servers []*running
	for range p.Processes {
		env := harness.Env{}
		for name, value := range store.env {
			env[name] = value
		}
		servers = append(servers, startWith(b, env))
	}
	defer func() {
		for _, s := range servers {
			s.kill()
		}
	}()
	yields, failures := make([]yield, p.Processes), make([]error, p.Processes)
	var loads sync.WaitGroup
	first, then := server{}.turn()
	for i, s := range servers {
		clients := scaleClients / p.Processes
		loads.Go(func() {
			yields[i], failures[i] = tryLoad(order{
				Port: s.port, Clients: clients, First: i * clients, InFlight: p.InFlight,
				Warm: first, Measure: then, Groups: [][]int{s.pids(), redis},
			})
		})
	}
	loads.Wait()
	if err := errors.Join(failures...); err != nil {
		b.Fatal(err)
	}
	var rate, server, p99 float64
	for _, y := range yields {
		rate += float64(y.Messages) / y.Elapsed.Seconds()
		server += float64(y.CPU[0]) / float64(y.Elapsed)
		p99 = max(p99, float64(y.P99)/float64(time.Microsecond))
	}
	p.Rate, p.P99 = append(p.Rate, rate), append(p.P99, p99)
	p.Server = append(p.Server, 1e6*server/rate)
	p.Redis = append(p.Redis, 1e6*float64(yields[0].CPU[1])/float64(yields[0].Elapsed)/rate)
	p.Group = append(p.Group, group(servers[0]))
}

// group is how many sessions a process stored with one round trip, on average.
func group(r *running) float64 {
	s := r.baton.Metrics()
	return s.Value("session_commit_batch_size_sum") / s.Value("session_commit_batch_size_count")
}
