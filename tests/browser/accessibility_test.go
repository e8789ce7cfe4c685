package browser

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"baton/tests/harness"
)

// contrastScript returns the texts on the page whose contrast is under AA (WCAG 2.2, 1.4.3).
//
//go:embed contrast.js
var contrastScript string

const contrastMinimum = 4.5

func TestConsoleContrast(t *testing.T) {
	p := browse(t, console(serve(t, nil)))
	p.shows("status", "Connected")
	p.click("burst")
	p.intact("100")
	p.do(chromedp.Evaluate("document.getElementById('ended').hidden = false", nil))
	for _, mode := range []string{"light", "dark"} {
		for _, color := range []string{"none", "blue", "green"} {
			p.do(reducedMotion(mode), chromedp.Evaluate(fmt.Sprintf("document.documentElement.dataset.color = %q", color), nil))
			for _, poor := range eval[[]string](p, fmt.Sprintf("(%s)(%g)", contrastScript, contrastMinimum)) {
				t.Errorf("%s, %s: %s", mode, color, poor)
			}
		}
	}
}

func TestConsoleNamesAndRoles(t *testing.T) {
	p := browse(t, console(serve(t, nil)))
	p.shows("status", "Connected")
	nodes := accessibilityTree(p)
	var seen []string
	for _, node := range nodes {
		role, name := node.Role.text(), node.Name.text()
		seen = append(seen, role+": "+name)
		if slices.Contains([]string{"button", "link", "textbox", "region", "image"}, role) && name == "" {
			t.Errorf("a %s has no name", role)
		}
	}
	for _, want := range []string{
		"heading: Baton", "main: ", "banner: ", "contentinfo: ", "status: ", "image: Round trips", "textbox: Message",
		"button: Send", "button: Send 100", "button: Send 5 a second", "button: Break the network for 2 s", "button: New session",
		"link: Same session in a second tab", "region: The session", "region: Try it", "list: ",
	} {
		if !slices.Contains(seen, want) {
			t.Errorf("no %q among\n%s", want, strings.Join(seen, "\n"))
		}
	}
	if language := eval[string](p, "document.documentElement.lang"); language != "en" {
		t.Errorf("the page's language is %q", language)
	}
	levels := eval[[]string](p, "Array.from(document.querySelectorAll('h1, h2, h3'), (h) => h.tagName)")
	if levels[0] != "H1" || slices.Contains(levels[1:], "H1") || slices.Contains(levels, "H3") {
		t.Errorf("headings: %v", levels)
	}
}

func TestConsoleByKeyboard(t *testing.T) {
	p := browse(t, console(serve(t, nil)))
	p.shows("status", "Connected")
	order := []string{"Skip to the controls", "text", "Send", "burst", "stream", "break", "new", "second"}
	for _, want := range order {
		p.do(chromedp.KeyEvent(kb.Tab))
		got := eval[string](p, "document.activeElement.id || document.activeElement.textContent")
		if got != want {
			t.Fatalf("Tab leads to %q, want %q", got, want)
		}
		if outline := eval[string](p, "getComputedStyle(document.activeElement).outlineStyle"); outline == "none" {
			t.Errorf("%s does not show that it has the focus", got)
		}
	}
	p.do(chromedp.Focus("#burst", chromedp.ByQuery), chromedp.KeyEvent(kb.Enter))
	p.intact("100")
	p.do(chromedp.Focus("#stream", chromedp.ByQuery), chromedp.KeyEvent(" "))
	if pressed := eval[string](p, "document.getElementById('stream').getAttribute('aria-pressed')"); pressed != "true" {
		t.Errorf("aria-pressed is %q after the space bar", pressed)
	}
	p.do(chromedp.KeyEvent(" "))
}

func TestConsoleOnAPhone(t *testing.T) {
	p := browse(t, console(serve(t, nil)), chromedp.EmulateViewport(320, 640, chromedp.EmulateMobile))
	p.shows("status", "Connected")
	if wide := eval[int](p, "document.documentElement.scrollWidth"); wide > 320 {
		t.Errorf("the page is %d pixels wide on a screen of 320", wide)
	}
	small := eval[[]string](p, `Array.from(document.querySelectorAll('button, input, .button')).filter((e) => e.offsetParent &&
		e.getBoundingClientRect().height < 44).map((e) => e.id || e.textContent)`)
	if len(small) > 0 {
		t.Errorf("too small to hit: %v", small)
	}
}

func TestConsoleWithReducedMotion(t *testing.T) {
	server := serve(t, harness.Env{"HEARTBEAT_INTERVAL": "100ms"})
	p := browse(t, console(server), reducedMotion("light"))
	p.shows("heartbeats", "3")
	if moving := eval[int](p, "document.getAnimations().length"); moving != 0 {
		t.Errorf("%d animations run", moving)
	}
	p.do(emulation.SetEmulatedMedia())
	harness.Eventually(t, patience, "the heartbeat is animated otherwise", func() bool {
		return eval[int](p, "document.getAnimations().length") > 0
	})
}

func reducedMotion(scheme string) chromedp.Action {
	return emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
		{Name: "prefers-reduced-motion", Value: "reduce"},
		{Name: "prefers-color-scheme", Value: scheme},
	})
}

// axNode is what a screen reader is told of one element. cdproto's own type refuses values that are newer than itself.
type axNode struct {
	Ignored bool    `json:"ignored"`
	Role    axValue `json:"role"`
	Name    axValue `json:"name"`
}

type axValue struct {
	Value any `json:"value"`
}

func (v axValue) text() string {
	text, _ := v.Value.(string)
	return text
}

func accessibilityTree(p *page) []axNode {
	p.t.Helper()
	var tree struct {
		Nodes []axNode `json:"nodes"`
	}
	p.do(chromedp.ActionFunc(func(ctx context.Context) error {
		return cdp.Execute(ctx, accessibility.CommandGetFullAXTree, nil, &tree)
	}))
	return slices.DeleteFunc(tree.Nodes, func(node axNode) bool { return node.Ignored })
}
