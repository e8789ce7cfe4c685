package clients

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"baton/client"
	"baton/tests/harness"
)

const (
	crowdSize = 8  // clients of each kind
	perSecond = 10 // messages of each client
	steadyFor = 4 * time.Second
	nearMove  = 250.0           // ms before and after a client's own move
	leaveFor  = 2 * time.Second // from the end of a promotion to the next phase

	// The promotion's clients must wait no longer than this many times the normal p99, or this long: a busy machine
	// starts processes meanwhile. The page says what it really is.
	slackRatio = 20
	slackTime  = 500 * time.Millisecond
)

// sighting is what one client saw; times are milliseconds, moments of the wall clock.
type sighting struct {
	Acks     [][2]float64 // when it was sent, how long its acknowledgement took
	Gaps     [][2]float64 // when the next connection was there, how long there was none
	Sent     int
	Disorder int
}

// crowd is some clients of one kind.
type crowd struct {
	name, way string
	finish    func() []sighting
	saw       []sighting
}

// phase is one round's time before the promotion, and that of the promotion itself.
type phase struct{ steady, begin, end float64 }

// With handover a client is without a usable connection for 0 ms, through a real promotion under load.
func TestHandover(t *testing.T) {
	if testing.Short() {
		t.Skip("slow")
	}
	rounds := 1
	if n, err := strconv.Atoi(os.Getenv("BATON_HANDOVER_ROUNDS")); err == nil {
		rounds = n
	}
	s := startStack(t)
	crowds := []*crowd{goCrowd(t, s.url, "handover"), goCrowd(t, s.url, "resume"), jsCrowd(t, s.url, "handover"), jsCrowd(t, s.url, "resume")}
	var phases []phase
	for range rounds {
		p := phase{steady: millis()}
		time.Sleep(steadyFor)
		p.begin = millis()
		s.script("promote.sh", "--bake", "1")
		p.end = millis()
		phases = append(phases, p)
		time.Sleep(leaveFor)
	}
	for _, c := range crowds {
		c.saw = c.finish()
		judge(t, c, phases)
	}
	report(t, crowds, phases)
}

func judge(t *testing.T, c *crowd, phases []phase) {
	t.Helper()
	worst := 0.0
	for i, saw := range c.saw {
		if len(saw.Acks) != saw.Sent || saw.Disorder > 0 || saw.Sent == 0 {
			t.Errorf("%s %s %d: %d sent, %d acknowledged, %d out of order", c.name, c.way, i, saw.Sent, len(saw.Acks), saw.Disorder)
		}
		if len(saw.Gaps) < len(phases) {
			t.Errorf("%s %s %d: moved %d times in %d promotions", c.name, c.way, i, len(saw.Gaps), len(phases))
		}
		for _, gap := range saw.Gaps {
			worst = max(worst, gap[1])
		}
	}
	if c.way == "handover" && worst > 0 {
		t.Errorf("%s: %.1f ms without a usable connection, want 0", c.name, worst)
	}
	if c.way == "resume" && worst == 0 {
		t.Errorf("%s: no gap without handover either: nothing was measured", c.name)
	}
	normal, during := c.latency(phases)
	if limit := max(slackRatio*normal, float64(slackTime.Milliseconds())); c.way == "handover" && during > limit {
		t.Errorf("%s: p99 is %.1f ms in the promotion, %.1f ms before", c.name, during, normal)
	}
}

// latency is the p99 of the acknowledgements before the promotions and during them, medians of the rounds.
func (c *crowd) latency(phases []phase) (normal, during float64) {
	var before, within []float64
	for _, p := range phases {
		before = append(before, c.p99(p.steady, p.begin))
		within = append(within, c.p99(p.begin, p.end))
	}
	return median(before), median(within)
}

func (c *crowd) p99(from, to float64) float64 {
	return c.p99Of(func(_ sighting, sent float64) bool { return sent >= from && sent < to })
}

// atMove is the p99 of what each client sent shortly before and after its own moves, of all rounds together.
func (c *crowd) atMove() float64 {
	return c.p99Of(func(saw sighting, sent float64) bool {
		return slices.ContainsFunc(saw.Gaps, func(gap [2]float64) bool {
			return sent >= gap[0]-gap[1]-nearMove && sent < gap[0]+nearMove
		})
	})
}

func (c *crowd) p99Of(counts func(saw sighting, sent float64) bool) float64 {
	var took []float64
	for _, saw := range c.saw {
		for _, ack := range saw.Acks {
			if counts(saw, ack[0]) {
				took = append(took, ack[1])
			}
		}
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}

func (c *crowd) gaps() (all []float64) {
	for _, saw := range c.saw {
		for _, gap := range saw.Gaps {
			all = append(all, gap[1])
		}
	}
	return all
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}

func report(t *testing.T, crowds []*crowd, phases []phase) {
	t.Helper()
	var table strings.Builder
	table.WriteString("| client | on `reconnect` | moves | without a connection, median | longest | p99 before | p99 in the promotion | ratio | p99 at the move |\n")
	table.WriteString("|---|---|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, c := range crowds {
		normal, during := c.latency(phases)
		gaps := c.gaps()
		if len(gaps) == 0 {
			gaps = []float64{0}
		}
		fmt.Fprintf(&table, "| %s | %s | %d | %.1f ms | %.1f ms | %.1f ms | %.1f ms | %.1f | %.1f ms |\n",
			c.name, c.way, len(gaps), median(gaps), slices.Max(gaps), normal, during, during/max(normal, 0.001), c.atMove())
	}
	t.Logf("\n%s", table.String())
	path := os.Getenv("BATON_HANDOVER_PAGE")
	if path == "" || t.Failed() {
		return
	}
	page := fmt.Sprintf(`# What a promotion costs a client

Written by `+"`make handover`"+`: a local stack with a front door, two colors and a store, and %d clients of each of four kinds that
send %d messages a second each, all at the same time. %d promotions by `+"`scripts/promote.sh --bake 1`"+`, one after the other.
A client with handover opens its next connection when the server says `+"`reconnect`"+`, and leaves the old one when the new one
is ready. One without stays until the server closes, and resumes.

%s
*Without a connection* is the time from the last moment a connection could take a message to the next. *p99* is that of the time
from a message to its acknowledgement: of %v before each promotion, and of the whole promotion, in which new processes
start on the same machine; the median of the %d rounds. *At the move* are the messages from %.0f ms before a client's own
move to as long after it, of all rounds: the few that the move can touch. %s/%s, %d CPUs for clients, servers, front door and store together.
`, crowdSize, perSecond, len(phases), table.String(), steadyFor, len(phases), nearMove, runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
}

func goCrowd(t *testing.T, url, way string) *crowd {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	all := make([]*goClient, crowdSize)
	for i := range all {
		c := &goClient{}
		all[i] = c
		connected, err := client.Dial(ctx, client.Config{URL: url, NoHandover: way != "handover", Events: client.Events{Ack: c.acked, Gap: c.moved}})
		if err != nil {
			t.Fatal(err)
		}
		c.Client = connected
		sending.Go(func() { c.send(ctx) })
	}
	return &crowd{name: "Go", way: way, finish: func() (saw []sighting) {
		stop()
		sending.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		for _, c := range all {
			if err := c.Flush(ctx); err != nil {
				t.Error(err)
			}
			_ = c.Close(ctx)
			saw = append(saw, c.saw)
		}
		return saw
	}}
}

// goClient writes down what it is told; events come one at a time, and saw is read when it has ended.
type goClient struct {
	*client.Client
	saw  sighting
	next uint64
}

func (c *goClient) acked(a client.Ack) {
	if c.next++; a.Seq != c.next {
		c.saw.Disorder++
	}
	took := float64(a.Latency.Microseconds()) / 1000
	c.saw.Acks = append(c.saw.Acks, [2]float64{millis() - took, took})
}

func (c *goClient) moved(g client.Gap) {
	c.saw.Gaps = append(c.saw.Gaps, [2]float64{millis(), float64(g.Duration.Microseconds()) / 1000})
}

func (c *goClient) send(ctx context.Context) {
	ticker := time.NewTicker(time.Second / perSecond)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if _, err := c.TrySend("hello"); err == nil {
				c.saw.Sent++
			}
		case <-ctx.Done():
			return
		}
	}
}

func jsCrowd(t *testing.T, url, way string) *crowd {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		harness.Skip(t, "node is not installed")
	}
	cmd := exec.Command(node, "../../client/js/testkit/crowd.mjs", url, strconv.Itoa(crowdSize), strconv.Itoa(perSecond), way)
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewReader(output)
	if line, err := lines.ReadString('\n'); line != "ready\n" {
		t.Fatalf("the JavaScript clients are not ready: %q %v", line, err)
	}
	return &crowd{name: "JavaScript", way: way, finish: func() (saw []sighting) {
		input.Close()
		text, err := io.ReadAll(lines)
		if err == nil {
			err = json.Unmarshal(text, &saw)
		}
		if err != nil {
			t.Fatalf("the JavaScript clients said %.200q: %v", text, err)
		}
		return saw
	}}
}

// stack is a local stack: Traefik and Redis where they are installed, else baton's own.
type stack struct {
	t   *testing.T
	env []string
	url string
}

func startStack(t *testing.T) *stack {
	t.Helper()
	for _, tool := range []string{"curl", "bash"} {
		if _, err := exec.LookPath(tool); err != nil {
			harness.Skip(t, tool+" is not installed")
		}
	}
	dir, port := t.TempDir(), harness.FreePort(t)
	s := &stack{t: t, url: fmt.Sprintf("ws://127.0.0.1:%d/ws/chat/", port), env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "BATON_BIN=" + harness.Binary(t), "BATON_RUN_DIR=" + dir,
		"BATON_ENV_FILE=" + filepath.Join(dir, "none"), fmt.Sprintf("HTTP_PORT=%d", port), "DRAIN_SPREAD=6s",
	}}
	t.Cleanup(func() { s.script("stack.sh", "down") })
	s.script("stack.sh", "up")
	return s
}

func (s *stack) script(name string, args ...string) {
	s.t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "scripts", name))
	if err != nil {
		s.t.Fatal(err)
	}
	p := harness.Run(s.t, harness.Command{Path: "/bin/bash", Args: append([]string{path}, append(args, "--driver", "local")...), Env: s.env})
	if code := p.Exit(s.t, 2*time.Minute); code != 0 {
		s.t.Fatalf("%s %v ended with %d:\n%s%s", name, args, code, p.Stdout(), p.Stderr())
	}
}

func millis() float64 { return float64(time.Now().UnixMicro()) / 1000 }
