package channel

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

// watch counts what an observer is told.
type watch struct {
	mu         sync.Mutex
	published  map[string]int
	subscribed bool
}

func (w *watch) Published(result string, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.published == nil {
		w.published = map[string]int{}
	}
	w.published[result] += n
}
func (w *watch) Heard() {}
func (w *watch) Subscribed(yes bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.subscribed = yes
}

func (w *watch) is(subscribed bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.subscribed == subscribed
}

func (w *watch) count(result string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.published[result]
}

// process is one side of a channel through Redis.
type process struct {
	*watch
	*Redis
	mu    sync.Mutex
	heard []string
}

func (p *process) got() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.heard...)
}

func startProcess(t *testing.T, server *miniredis.Miniredis) *process {
	t.Helper()
	db := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1, DialerRetries: 1})
	p := &process{watch: &watch{}}
	p.Redis = NewRedis(db, func(m Message) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.heard = append(p.heard, fmt.Sprintf("%c %s %s", m.To, m.Name, m.Text))
	}, p.watch, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { p.Close(); _ = db.Close() })
	return p
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 15s: %s", what)
		}
	}
}

func TestEveryProcessHearsTheSameInTheSameOrder(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("", func(t *testing.T) {
		server := miniredis.RunT(t)
		a, b := startProcess(t, server), startProcess(t, server)
		eventually(t, "both subscribed", func() bool { return a.is(true) && b.is(true) })
		const each = 500
		var senders sync.WaitGroup
		for _, p := range []*process{a, b} {
			senders.Go(func() {
				for i := range each {
					if err := p.Channel().ToGroup("g", fmt.Append(nil, p.Redis == a.Redis, i)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		senders.Wait()
		_ = a.Channel().ToAll([]byte("x"))
		_ = a.Channel().ToSession("s", []byte("y"))
		eventually(t, "all heard", func() bool { return len(a.got()) == 2*each+2 && len(b.got()) == 2*each+2 })
		if !reflect.DeepEqual(a.got(), b.got()) {
			t.Error("not in the same order")
		}
		if all := strings.Join(a.got(), "\n"); !strings.Contains(all, "a  x") || !strings.Contains(all, "s s y") {
			t.Error("to all and to a session")
		}
	})
}

func TestWhatRedisDoesNotTakeIsDroppedAndTheNextIsHeard(t *testing.T) {
	server := miniredis.RunT(t)
	p := startProcess(t, server)
	eventually(t, "subscribed", func() bool { return p.is(true) })
	server.Close()
	eventually(t, "the loss is noticed", func() bool { return p.is(false) })
	began := time.Now()
	if err := p.Channel().ToAll([]byte("lost")); err != nil || time.Since(began) > time.Second/2 {
		t.Errorf("sending took %v: %v", time.Since(began), err)
	}
	eventually(t, "it failed", func() bool { return p.count(Failed) == 1 })
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "subscribed again", func() bool { return p.is(true) })
	eventually(t, "the next is heard", func() bool {
		_ = p.Channel().ToAll([]byte("next"))
		return len(p.got()) > 0
	})
	if p.got()[0] != "a  next" {
		t.Errorf("heard %v", p.got())
	}
}

func TestWhatWaitsIsBounded(t *testing.T) {
	w := &watch{}
	r := &Redis{observer: w, wake: make(chan struct{}, 1)} // nobody sends
	text := []byte(strings.Repeat("x", MaxText))
	for range 2 * maxWaiting / MaxText {
		_ = r.Channel().ToAll(text)
	}
	if r.size > maxWaiting || w.count(Dropped) == 0 {
		t.Errorf("%d bytes wait, %d messages dropped", r.size, w.count(Dropped))
	}
	if err := r.Channel().ToAll(text); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v", err)
	}
}

func TestWhatMayNotBeSent(t *testing.T) {
	c := NewMemory(func(Message) { t.Error("delivered") }, &watch{})
	long := strings.Repeat("x", MaxText+1)
	for _, text := range []string{"", long, "\xff"} {
		if err := c.ToAll([]byte(text)); !errors.Is(err, ErrText) {
			t.Errorf("%.5q: %v", text, err)
		}
	}
	for _, name := range []string{"", strings.Repeat("x", MaxName+1)} {
		if err := c.ToGroup(name, []byte("x")); !errors.Is(err, ErrName) {
			t.Errorf("group %.5q: %v", name, err)
		}
		if err := c.ToSession(name, []byte("x")); !errors.Is(err, ErrName) {
			t.Errorf("session %.5q: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(string(Message{Group, "g", []byte("text")}.encode()))
	f.Add("g\xffx")
	f.Fuzz(func(t *testing.T, s string) {
		if m, err := decode(s); err == nil && string(m.encode()) != s {
			t.Errorf("%q became %q", s, m.encode())
		}
	})
}
