package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"baton/client"
	"baton/client/internal/fake"
	"baton/client/wire"
)

// behaviour is one case of testdata/behaviours.json, which says what the fields mean. The JavaScript client runs the same.
type behaviour struct {
	Name        string
	Send, Then  int
	Connections [][]action
	Expect      struct {
		Handshakes int
		Acks       []uint64
		Stored     uint64
		Troubles   []int // nil: in which order, and how many, is left open
		Moves      []string
		Resets     [][2]uint64
		WaitMS     map[string]int `json:"wait_ms"`
		End        int
	}
}

type action struct {
	At             fake.Step
	Message        int
	StoreCount     *uint64 `json:"store_count"`
	AttemptAheadMS int64   `json:"attempt_ahead_ms"`
	Say            []string
	Half           string
	Await          string
	PauseMS        int `json:"pause_ms"`
	Cut            bool
	Close, Refuse  int
	RetryAfter     string `json:"retry_after"`
}

const behaviourSession = "0e37df36-f698-4d1c-9f0e-0d8bde6b2f6a"

func TestBehaviours(t *testing.T) {
	raw, err := os.ReadFile("testdata/behaviours.json")
	if err != nil {
		t.Fatal(err)
	}
	var table struct{ Cases []behaviour }
	if err := json.Unmarshal(raw, &table); err != nil {
		t.Fatal(err)
	}
	leaks(t)
	t.Run("cases", func(t *testing.T) {
		for _, b := range table.Cases {
			t.Run(b.Name, func(t *testing.T) {
				t.Parallel()
				b.run(t)
			})
		}
	})
	if len(table.Cases) == 0 {
		t.Error("no cases")
	}
}

func (b behaviour) run(t *testing.T) {
	p := &player{behaviour: b, passed: map[string]chan struct{}{}}
	p.server = fake.Start(t, &fake.Server{Script: p.play, Ended: func(number int) { p.pass(fmt.Sprintf("%d ended", number)) }})
	w := &witness{changed: make(chan struct{}, 1)}
	cfg := config(p.server.URL, w)
	cfg.SessionID = behaviourSession
	c, err := client.Dial(within(t), cfg)
	if err != nil {
		p.judge(t, w, err)
		return
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	if b.Expect.End != 0 {
		for range b.Send { // it may end before the last one is sent
			if _, err := c.Send(within(t), "hello"); err != nil {
				break
			}
		}
		p.judge(t, w, await(t, c))
		return
	}
	send(t, c, b.Send)
	w.until(t, "the moves", func() bool { return len(w.gaps) >= len(b.Expect.Moves) })
	send(t, c, b.Then)
	w.until(t, "the acknowledgements", func() bool { return len(w.acks) >= len(b.Expect.Acks) })
	p.judge(t, w, nil)
}

// player is a server that follows a script.
type player struct {
	behaviour
	server *fake.Server

	mu     sync.Mutex
	times  []time.Time // of the handshakes
	passed map[string]chan struct{}
}

func (p *player) play(m fake.Moment) fake.Action {
	if m.Step == fake.Handshake {
		p.mu.Lock()
		p.times = append(p.times, time.Now())
		p.mu.Unlock()
	}
	p.pass(fmt.Sprintf("%d %s", m.Number, m.Step))
	if m.Number > len(p.Connections) {
		return fake.Pass
	}
	for _, a := range p.Connections[m.Number-1] {
		if a.At == m.Step && (a.Message == 0 || a.Message == m.Message) {
			return p.act(a, m.Conn)
		}
	}
	return fake.Pass
}

func (p *player) act(a action, c *fake.Conn) fake.Action {
	store := p.server.Store
	if a.StoreCount != nil {
		store.Set(behaviourSession, *a.StoreCount)
	}
	if a.AttemptAheadMS > 0 {
		store.SetAttempt(behaviourSession, uint64(time.Now().UnixMilli()+a.AttemptAheadMS))
	}
	for _, text := range a.Say {
		c.Send(strings.ReplaceAll(text, "$count", strconv.FormatUint(store.Count(behaviourSession), 10)))
	}
	if a.Half != "" {
		c.Half(a.Half)
	}
	if a.Await != "" {
		select {
		case <-p.passing(a.Await):
		case <-time.After(patience):
		}
	}
	time.Sleep(time.Duration(a.PauseMS) * time.Millisecond)
	switch {
	case a.Cut:
		return fake.Drop()
	case a.Close > 0:
		return fake.Close(a.Close)
	case a.Refuse > 0:
		return fake.Refuse(a.Refuse, "scripted", a.RetryAfter)
	}
	return fake.Pass
}

func (p *player) passing(step string) chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.passed[step] == nil {
		p.passed[step] = make(chan struct{})
	}
	return p.passed[step]
}

func (p *player) pass(step string) {
	passed := p.passing(step)
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-passed:
	default:
		close(passed)
	}
}

func (p *player) judge(t *testing.T, w *witness, end error) {
	t.Helper()
	p.mu.Lock()
	times := slices.Clone(p.times)
	p.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	want := p.Expect
	if len(times) != want.Handshakes {
		t.Errorf("%d handshakes, want %d", len(times), want.Handshakes)
	}
	for number, least := range want.WaitMS {
		n, _ := strconv.Atoi(number)
		if n <= len(times) && times[n-1].Sub(times[n-2]) < time.Duration(least)*time.Millisecond {
			t.Errorf("handshake %d came after %v, want %d ms at least", n, times[n-1].Sub(times[n-2]), least)
		}
	}
	same(t, "acks", mapped(w.acks, func(a client.Ack) uint64 { return a.Count }), want.Acks)
	same(t, "resets", mapped(w.resets, func(r client.Reset) [2]uint64 { return [2]uint64{r.Acknowledged, r.Count} }), want.Resets)
	same(t, "moves", mapped(w.gaps, moveOf), want.Moves)
	if want.Troubles != nil {
		same(t, "troubles", mapped(w.troubles, codeOf), want.Troubles)
	}
	if got := p.server.Store.Count(behaviourSession); got != want.Stored {
		t.Errorf("the store counts %d, want %d", got, want.Stored)
	}
	if (end != nil) != (want.End != 0) || end != nil && codeOf(end) != want.End {
		t.Errorf("ended with %v, want %d", end, want.End)
	}
}

func same[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func mapped[T, U any](list []T, f func(T) U) (all []U) {
	for _, value := range list {
		all = append(all, f(value))
	}
	return all
}

func moveOf(g client.Gap) string {
	if g.Duration > 0 {
		return "gap"
	}
	return "none"
}

// codeOf is what ended a connection or an attempt, as a number.
func codeOf(err error) int {
	var refused *client.RefusedError
	switch {
	case errors.As(err, &refused):
		return refused.Status
	case errors.Is(err, client.ErrTakenOver):
		return 4001
	}
	return wire.CloseCode(err)
}
