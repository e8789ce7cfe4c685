package faults

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"baton/tests/harness"

	"github.com/google/uuid"
)

const (
	stormed     = 2000             // clients that are cut at the same instant
	backWithin  = 10 * time.Second // and are all back
	seated      = 200              // connections of a server that takes no more
	crowded     = 400              // handshakes beyond that
	askings     = 200              // round trips of an accepted session, to know its latency
	overloadP99 = 250 * time.Millisecond
)

// What is asked for beyond what there is gets a clear answer; who is inside notices nothing; and afterwards all is well
// without a restart.
func TestOverload(t *testing.T) {
	if testing.Short() {
		t.Skip("takes about a minute")
	}
	rows := []string{"| overload | what came of it | p99 before | p99 of an accepted session |", "|---|---|---|---|"}
	for _, overload := range []struct {
		name string
		run  func(t *testing.T) string
	}{
		{"past `MAX_CONNECTIONS`", pastMaxConnections},
		{"past the descriptor limit", pastDescriptors},
		{"past Redis's throughput, then not", pastRedis},
		{"a reconnect storm", reconnectStorm},
	} {
		t.Run(overload.name, func(t *testing.T) {
			row := overload.run(t)
			t.Log(row)
			rows = append(rows, "| "+overload.name+" | "+row+" |")
		})
	}
	publish(t, "overload", strings.Join(rows, "\n"))
}

// At MAX_CONNECTIONS the next is told so at once, those inside notice nothing, and who leaves makes room.
func pastMaxConnections(t *testing.T) string {
	t.Helper()
	redis := harness.StartRedis(t)
	s := harness.Start(t, harness.Env{"REDIS_URL": redis.URL(), "MAX_CONNECTIONS": strconv.Itoa(seated), "MAX_CONNECTIONS_PER_ADDRESS": "0"})
	inside := sit(t, s, seated)
	calm := converse(inside[0], 1)
	var refused atomic.Int64
	busy := beside(func() { refused.Add(refusals(t, s, "at_capacity")) }, func() latencies { return converse(inside[0], askings+1) })
	if refused.Load() != crowded {
		t.Errorf("%d of %d were refused", refused.Load(), crowded)
	}
	busy.within(t, overloadP99)
	inside[1].Close()
	harness.Eventually(t, 5*time.Second, "a place is free again", func() bool { return joins(s) })
	return fmt.Sprintf("%d refused, all 503 `at_capacity`", crowded) + cells(calm, busy)
}

// Without descriptors for more connections, those that are there go on, and the process takes more when it can again.
func pastDescriptors(t *testing.T) string {
	t.Helper()
	redis := harness.StartRedis(t)
	s := harness.Start(t, harness.Env{"REDIS_URL": redis.URL(), "MAX_CONNECTIONS_PER_ADDRESS": "0"})
	inside := sit(t, s, seated)
	calm := converse(inside[0], 1)
	limit(t, s.Pid(), seated/2) // fewer than are open: no new one
	var turned atomic.Int64
	busy := beside(func() { turned.Add(unanswered(s, crowded/4)) }, func() latencies { return converse(inside[0], askings+1) })
	busy.within(t, overloadP99)
	limit(t, s.Pid(), 10*seated)
	harness.Eventually(t, 10*time.Second, "a connection is taken again", func() bool { return joins(s) })
	return fmt.Sprintf("%d of %d not taken, the process lived", turned.Load(), crowded/4) + cells(calm, busy)
}

// A Redis that is too slow for what is asked gives 1013 or a late reply, never a wrong one, and all is well when it is fast again.
func pastRedis(t *testing.T) string {
	t.Helper()
	redis := harness.StartRedis(t)
	network := harness.Balance(t, redis.Addr)
	s := harness.Start(t, harness.Env{
		"REDIS_URL": "redis://" + network.Addr + "/0", "COMMIT_TIMEOUT": "2s", "MAX_CONNECTIONS_PER_ADDRESS": "0",
	})
	inside := sit(t, s, seated)
	calm := converse(inside[0], 1)
	var gone, answered atomic.Int64
	throttle := throttled(redis)
	network.Set(harness.Weather{Delay: 20 * time.Millisecond, Rate: 10_000})
	flood(inside[1:], &answered, &gone)
	network.Set(harness.Weather{})
	throttle()
	harness.Eventually(t, 10*time.Second, "a new session is served again", func() bool { return joins(s) })
	s.WaitReady()
	fresh := s.Dial(harness.Handshake{})
	after := converse(fresh, 1)
	after.within(t, overloadP99)
	if !s.Alive() || answered.Load()+gone.Load() == 0 {
		t.Errorf("%d answered, %d closed 1013", answered.Load(), gone.Load())
	}
	return fmt.Sprintf("%d replies, %d closed 1013", answered.Load(), gone.Load()) + cells(calm, after)
}

// Thousands that are cut at the same instant are back within seconds.
func reconnectStorm(t *testing.T) string {
	t.Helper()
	redis := harness.StartRedis(t)
	s := harness.Start(t, harness.Env{"REDIS_URL": redis.URL(), "MAX_CONNECTIONS_PER_ADDRESS": "0"})
	front := harness.Balance(t, s.Addr)
	soak := harness.Run(t, harness.Command{Path: harness.Binary(t), Args: []string{
		"soak", "--url", "ws://" + front.Addr + "/ws/chat/", "--clients", strconv.Itoa(stormed), "--rate", "0.2",
		"--connect-rate", "300", "--duration", "5m", "--json",
	}})
	harness.Eventually(t, 6*backWithin, "all are connected", func() bool {
		return s.Metrics().Value("websocket_active_connections") >= stormed
	})
	before := s.Metrics().Value("websocket_connections_total")
	cut := time.Now()
	front.Cut(1)
	harness.Eventually(t, 3*backWithin, "all are back", func() bool {
		now := s.Metrics()
		return now.Value("websocket_connections_total") >= before+stormed && now.Value("websocket_active_connections") >= stormed
	})
	took := time.Since(cut)
	if took > backWithin {
		t.Errorf("all were back after %v, want %v", took, backWithin)
	}
	soak.Signal(syscall.SIGINT) // the end of its sending, the checks are still made
	if code := soak.Exit(t, 2*time.Minute); code != 0 {
		t.Errorf("soak ended with %d: %s", code, soak.Stdout())
	}
	return fmt.Sprintf("%d clients cut at one instant, all back after %.1f s", stormed, took.Seconds()) + " | | "
}

// latencies of one session's round trips, sorted.
type latencies []time.Duration

// cells are two of them in a table.
func cells(before, meanwhile latencies) string {
	ms := func(l latencies) string { return fmt.Sprintf("%.1f ms", float64(l.p99().Microseconds())/1000) }
	return " | " + ms(before) + " | " + ms(meanwhile)
}

func (l latencies) p99() time.Duration { return l[len(l)*99/100] }

func (l latencies) within(t *testing.T, bound time.Duration) {
	t.Helper()
	if l.p99() > bound {
		t.Errorf("p99 of an accepted session is %v, want %v", l.p99(), bound)
	}
}

// converse sends one message after the other, the first of which counts first.
func converse(p *harness.Peer, first int) (took latencies) {
	for n := range askings {
		start := time.Now()
		p.Say("m")
		p.Count(first + n)
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took
}

func sit(t *testing.T, s *harness.Server, n int) (peers []*harness.Peer) {
	t.Helper()
	for range n {
		peers = append(peers, s.Dial(harness.Handshake{Session: uuid.NewString()}))
	}
	return peers
}

// beside does both at the same time.
func beside(crowd func(), session func() latencies) latencies {
	var running sync.WaitGroup
	running.Go(crowd)
	took := session()
	running.Wait()
	return took
}

// refusals counts handshakes that are refused in the way that is promised.
func refusals(t *testing.T, s *harness.Server, code string) (n int64) {
	t.Helper()
	for range crowded {
		peer, answer, err := harness.Handshake{}.Open(s.Addr)
		if err != nil || peer != nil {
			t.Errorf("not refused: %v", err)
			continue
		}
		if answer.Status == http.StatusServiceUnavailable && strings.Contains(answer.Body, code) && answer.RetryAfter() > 0 {
			n++
		}
	}
	return n
}

// unanswered counts handshakes that get no connection, each given a moment.
func unanswered(s *harness.Server, tries int) (n int64) {
	var running sync.WaitGroup
	var count atomic.Int64
	for range tries {
		running.Go(func() {
			if peer, _, err := (harness.Handshake{Within: time.Second}).Open(s.Addr); err != nil || peer == nil {
				count.Add(1)
			} else {
				peer.Close()
			}
		})
	}
	running.Wait()
	return count.Load()
}

func joins(s *harness.Server) bool {
	peer, _, err := (harness.Handshake{Within: time.Second}).Open(s.Addr)
	if err != nil || peer == nil {
		return false
	}
	peer.Close()
	return true
}

// limit sets how many descriptors a process may open.
func limit(t *testing.T, pid, files int) {
	t.Helper()
	bound := syscall.Rlimit{Cur: uint64(files), Max: 10 * seated}
	if _, _, err := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), syscall.RLIMIT_NOFILE, uintptr(unsafe.Pointer(&bound)), 0, 0, 0); err != 0 {
		t.Fatal(err)
	}
}

// throttled lets Redis have a tenth of a core, as a limit of a container does, until the function that it returns is called.
func throttled(redis *harness.Redis) (stop func()) {
	quit := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			redis.Pause()
			select {
			case <-quit:
				redis.Resume()
				return
			case <-time.After(45 * time.Millisecond):
			}
			redis.Resume()
			time.Sleep(5 * time.Millisecond)
		}
	})
	return func() { close(quit); running.Wait() }
}

// flood has every session send for a while more than can be taken.
func flood(peers []*harness.Peer, answered, gone *atomic.Int64) {
	burst := slices.Repeat([]harness.Frame{harness.Text("m")}, 50)
	var running sync.WaitGroup
	for _, p := range peers {
		running.Go(func() {
			for range 20 {
				if p.TrySend(burst...) != nil {
					return
				}
				for range 50 {
					frame, err := p.Read(20 * time.Second)
					if err != nil {
						return
					}
					if frame.Op == harness.OpClose {
						gone.Add(1)
						return
					}
					answered.Add(1)
				}
			}
		})
	}
	running.Wait()
}
