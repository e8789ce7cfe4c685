package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"baton/tests/harness"
)

const (
	patience    = 20 * time.Second // a browser beside other work on two cores
	tabPatience = 2 * time.Minute  // the whole of a test in one tab
)

// page is one tab, and everything it complained about.
type page struct {
	t   testing.TB
	ctx context.Context

	mu        sync.Mutex
	complaint []string
}

// chromium finds the browser, or skips the test.
func chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	harness.Skip(t, "no chromium, chromium-browser or google-chrome is installed")
	return ""
}

// browse starts a browser of the test's own and opens a page in it.
func browse(t testing.TB, url string, actions ...chromedp.Action) *page {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium(t)), chromedp.WindowSize(1100, 1180))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses to sandbox what root runs
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	p := open(t, allocator)
	p.do(append(actions, chromedp.Navigate(url))...)
	return p
}

// open makes a tab: of a new browser, or of the browser of another tab.
func open(t testing.TB, parent context.Context, options ...chromedp.ContextOption) *page {
	t.Helper()
	tab, closeTab := chromedp.NewContext(parent, options...)
	t.Cleanup(closeTab)
	p := &page{t: t, ctx: tab}
	chromedp.ListenTarget(tab, p.listen)
	timed, cancel := context.WithTimeout(tab, tabPatience)
	t.Cleanup(cancel)
	// The first Run starts browser and tab, whose life must not be that of the time-out.
	if err := chromedp.Run(tab); err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	p.ctx = timed
	t.Cleanup(func() {
		for _, text := range p.complaints() {
			t.Errorf("the browser's console says: %s", text)
		}
	})
	return p
}

func (p *page) listen(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		p.complain("exception: " + e.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
			p.complain(fmt.Sprintf("%s: %v", e.Type, e.Args))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError || e.Entry.Level == log.LevelWarning {
			p.complain(fmt.Sprintf("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	}
}

func (p *page) complain(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.complaint = append(p.complaint, text)
}

func (p *page) complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.complaint...)
}

// forgive drops what the browser itself reports about connections that could not be made: no page can prevent that.
func (p *page) forgive() {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := p.complaint[:0]
	for _, text := range p.complaint {
		if !strings.Contains(text, "WebSocket connection to") && !strings.Contains(text, "ERR_CONNECTION") {
			kept = append(kept, text)
		}
	}
	p.complaint = kept
}

func (p *page) do(actions ...chromedp.Action) {
	p.t.Helper()
	if err := chromedp.Run(p.ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

func (p *page) click(id string) {
	p.t.Helper()
	p.do(chromedp.Click("#"+id, chromedp.ByQuery))
}

// text is what an element shows.
func (p *page) text(id string) string {
	p.t.Helper()
	return eval[string](p, fmt.Sprintf("document.getElementById(%q).textContent", id))
}

// shows waits until an element shows a text.
func (p *page) shows(id, want string) {
	p.t.Helper()
	var got string
	defer func() {
		if p.t.Failed() {
			p.t.Logf("#%s shows %q, wanted %q; the time line:\n%s", id, got, want, p.timeline())
		}
	}()
	harness.Eventually(p.t, patience, fmt.Sprintf("#%s shows %q", id, want), func() bool {
		got = p.text(id)
		return strings.Contains(got, want)
	})
}

// is waits until an element shows exactly a text.
func (p *page) is(id, want string) {
	p.t.Helper()
	harness.Eventually(p.t, patience, fmt.Sprintf("#%s is %q", id, want), func() bool { return p.text(id) == want })
}

func (p *page) timeline() string {
	return eval[string](p, "Array.from(document.querySelectorAll('#timeline li'), (li) => li.innerText.replaceAll('\\n', ' ')).join('\\n')")
}

// intact checks that everything sent came back once, in order, and that the count is the given one.
func (p *page) intact(count string) {
	p.t.Helper()
	p.is("count", count)
	p.is("pending", "0")
	p.is("wrong", "0")
	if sent, acknowledged := p.text("sent"), p.text("acknowledged"); sent != acknowledged {
		p.t.Errorf("sent %s, acknowledged %s", sent, acknowledged)
	}
}

func eval[T any](p *page, script string) T {
	p.t.Helper()
	var value T
	p.do(chromedp.Evaluate(script, &value))
	return value
}
