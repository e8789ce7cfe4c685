package switchtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"baton/tests/harness"
)

const (
	soakClients = 20
	soakRate    = "5"
	// probeEvery is the pace of new connections that watch a server.
	probeEvery = 20 * time.Millisecond
)

// soak are clients that talk during the whole test, half of them plain ones.
type soak struct {
	t       *testing.T
	process *harness.Process
}

func (s *stack) soak() *soak {
	s.t.Helper()
	load := &soak{t: s.t, process: harness.Run(s.t, harness.Command{
		Path: harness.Binary(s.t),
		Args: []string{
			"soak", "--url", strings.Replace(s.Front(), "http", "ws", 1) + "/ws/chat/", "--clients", strconv.Itoa(soakClients),
			"--rate", soakRate, "--plain", "0.5", "--duration", "10m", "--json",
		},
	})}
	load.connected()
	return load
}

// connected waits until all clients say that they are.
func (l *soak) connected() {
	l.t.Helper()
	told := len(l.process.Stderr())
	harness.Eventually(l.t, waitLimit, "all clients are connected", func() bool {
		lines := strings.Split(strings.TrimSpace(l.process.Stderr()[told:]), "\n")
		return strings.Contains(lines[len(lines)-1], fmt.Sprintf("%d connected", soakClients))
	})
}

// exact ends the clients: nothing may be lost, duplicated or reordered.
func (l *soak) exact() {
	l.t.Helper()
	l.connected()
	l.process.Signal(syscall.SIGINT)
	code := l.process.Exit(l.t, time.Minute)
	var report struct{ Sent, Acknowledged, Lost, Duplicated, Reordered int }
	if err := json.Unmarshal([]byte(l.process.Stdout()), &report); err != nil {
		l.t.Fatalf("soak's report: %v\n%s", err, l.process.Stderr())
	}
	if code != 0 || report.Lost+report.Duplicated+report.Reordered != 0 || report.Acknowledged == 0 {
		l.t.Errorf("soak: exit %d, %+v", code, report)
	}
}

// probe asks one server for its version, on a new connection each time.
type probe struct {
	done  chan struct{}
	ended sync.WaitGroup

	mu     sync.Mutex
	colors map[string]int
	failed []string
}

func watch(t *testing.T, base string) *probe {
	t.Helper()
	p := &probe{done: make(chan struct{}), colors: map[string]int{}}
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	p.ended.Go(func() {
		ticker := time.NewTicker(probeEvery)
		defer ticker.Stop()
		for {
			select {
			case <-p.done:
				return
			case <-ticker.C:
				p.ask(client, base)
			}
		}
	})
	t.Cleanup(func() { p.stop() })
	return p
}

func (p *probe) ask(client *http.Client, base string) {
	var version struct{ Color string }
	response, err := client.Get(base + "/version")
	if err == nil {
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			err = fmt.Errorf("status %d", response.StatusCode)
		} else {
			err = json.NewDecoder(response.Body).Decode(&version)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.failed = append(p.failed, err.Error())
		return
	}
	p.colors[version.Color]++
}

func (p *probe) stop() (colors map[string]int, failed []string) {
	select {
	case <-p.done:
	default:
		close(p.done)
	}
	p.ended.Wait()
	return p.colors, p.failed
}

// never failed: every connection was answered, and by these colors only.
func (p *probe) mustHaveSeen(t *testing.T, what string, colors ...string) {
	t.Helper()
	seen, failed := p.stop()
	if len(failed) > 0 {
		t.Errorf("%s: %d of its connections failed, the first: %s", what, len(failed), failed[0])
	}
	for _, color := range colors {
		if seen[color] == 0 {
			t.Errorf("%s: %s never answered (%v)", what, color, seen)
		}
		delete(seen, color)
	}
	if len(seen) > 0 {
		t.Errorf("%s: answered by %v too", what, seen)
	}
}
