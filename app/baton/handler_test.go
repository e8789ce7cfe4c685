package baton

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"go.uber.org/goleak"
)

// recorder is a handler that remembers every call.
type recorder struct {
	Counting
	t     *testing.T
	mu    sync.Mutex
	calls map[*Peer][]string
	hold  chan struct{} // not nil: Received waits for it
}

var (
	_ Receiver = (*recorder)(nil)
	_ Opener   = (*recorder)(nil)
	_ Closer   = (*recorder)(nil)
)

func (r *recorder) Opened(p *Peer) { r.add(p, "opened") }
func (r *recorder) Closed(p *Peer) { r.add(p, "closed") }
func (r *recorder) Received(p *Peer, m Message) {
	if r.hold != nil {
		<-r.hold
	}
	r.add(p, fmt.Sprintf("%d %s", m.N, m.Text))
	if string(m.Text) == "panic" {
		panic("as asked")
	}
}

func (r *recorder) add(p *Peer, call string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls[p] = append(r.calls[p], call)
}

func (r *recorder) all() map[*Peer]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[*Peer]string{}
	for p, calls := range r.calls {
		all[p] = strings.Join(calls, ", ")
	}
	return all
}

// startWith serves with the recorder until the test ends.
func startWith(t *testing.T, r *recorder, variables ...string) *App {
	t.Helper()
	r.t, r.calls = t, map[*Peer][]string{}
	app := New(testConfig(t, variables...), slog.New(slog.DiscardHandler), time.Now(), func(*Channel) Handler { return r })
	if err := app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.Stop() })
	return app
}

func TestAHandlerIsToldEverythingInOrderOnceItIsCounted(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent(),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
	r := &recorder{}
	app := startWith(t, r, "CHANNEL_LAYER", "redis")
	ws := dial(t, app, "")
	var want []string
	for i := range 200 {
		text := strings.Repeat("é", i)
		writer, err := ws.NextWriter(websocket.TextMessage) // in fragments where it is long
		if err != nil {
			t.Fatal(err)
		}
		for _, piece := range []string{text[:i], text[i:]} { // a rune may be cut in two
			if _, err := writer.Write([]byte(piece)); err != nil {
				t.Fatal(err)
			}
			if i%3 == 0 {
				if f, ok := writer.(interface{ Flush() error }); ok {
					_ = f.Flush()
				}
			}
		}
		if err := writer.Close(); err != nil {
			t.Fatal(err)
		}
		want = append(want, fmt.Sprintf("%d %s", i+1, text))
	}
	for i := range 200 {
		if got := read(t, ws); got != fmt.Sprintf(`{"count":%d}`, i+1) {
			t.Fatalf("reply %d is %s", i+1, got)
		}
	}
	if err := app.Stop(); err != nil {
		t.Error(err)
	}
	for _, calls := range r.all() {
		if calls != "opened, "+strings.Join(want, ", ")+", closed" {
			t.Errorf("got %.300s", calls)
		}
	}
	if len(r.all()) != 1 {
		t.Errorf("told of %d connections", len(r.all()))
	}
}

func TestAHandlerThatIsSlowHoldsUpItsOwnConnectionAlone(t *testing.T) {
	r := &recorder{hold: make(chan struct{})}
	app := startWith(t, r)
	slow, other := dial(t, app, ""), dial(t, app, "")
	message := []byte(strings.Repeat("x", 60<<10))
	go func() { // more than may wait: this blocks until the handler goes on
		for range 100 {
			if slow.WriteMessage(websocket.TextMessage, message) != nil {
				return
			}
		}
	}()
	if got := read(t, slow); got != `{"count":1}` {
		t.Fatalf("counting waits for the handler: %s", got)
	}
	for i := range 5 {
		if err := other.WriteMessage(websocket.TextMessage, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if got := read(t, other); got != fmt.Sprintf(`{"count":%d}`, i+1) {
			t.Fatalf("the other connection waits for the handler: %s", got)
		}
	}
	close(r.hold)
	for i := range 99 {
		if got := read(t, slow); got != fmt.Sprintf(`{"count":%d}`, i+2) {
			t.Fatalf("got %s", got)
		}
	}
}

func TestAPanicOfTheHandlerEndsNothing(t *testing.T) {
	r := &recorder{}
	app := startWith(t, r)
	ws := dial(t, app, "")
	for _, text := range []string{"panic", "after"} {
		if err := ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			t.Fatal(err)
		}
		read(t, ws)
	}
	waitFor(t, func() bool {
		for _, calls := range r.all() {
			return calls == "opened, 1 panic, 2 after"
		}
		return false
	})
}

func TestAHandlerThatDoesNotReturnIsLeftAtTheDrainsEnd(t *testing.T) {
	r := &recorder{hold: make(chan struct{})}
	app := startWith(t, r, "DRAIN_TIMEOUT", "500ms")
	defer close(r.hold)
	ws := dial(t, app, "")
	if err := ws.WriteMessage(websocket.TextMessage, []byte("x")); err != nil {
		t.Fatal(err)
	}
	read(t, ws)
	go closeCode(ws)
	began := time.Now()
	if err := app.Stop(); err != nil || time.Since(began) > 3*time.Second {
		t.Errorf("stopped after %v: %v", time.Since(began), err)
	}
}
