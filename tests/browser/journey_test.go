package browser

import (
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"baton/tests/harness"
)

// One page and one session through everything that can happen to them, messages on their way all the time.
func TestConsoleThroughItAll(t *testing.T) {
	redis := harness.StartRedis(t)
	env := func(color string) harness.Env {
		return harness.Env{"REDIS_URL": redis.URL(), "COLOR": color, "DRAIN_SPREAD": "2s"}
	}
	blue, green := serve(t, env("blue")), serve(t, env("green"))
	front := switchboard(t, blue.Addr)
	p := browse(t, "http://"+front.addr+"/", chromedp.EmulateViewport(1100, 1220))
	p.shows("status", "Connected to blue")
	p.click("stream")
	p.shows("acknowledged", "3")

	// Promoted, by handover; where a message was still on its way to blue, that may end first, for the moment until
	// green's answer is there.
	front.to(green.Addr)
	blue.Terminate()
	p.on("green")
	if code := blue.Exit(t, patience); code != 0 {
		t.Errorf("blue ended with %d", code)
	}
	screenshot(p, "journey-promoted")

	blue = restart(t, blue, env("blue"))
	front.to(blue.Addr)
	green.Terminate()
	p.on("blue")
	if code := green.Exit(t, patience); code != 0 {
		t.Errorf("green ended with %d", code)
	}
	screenshot(p, "journey-rolled-back")

	p.click("burst")
	blue.Kill()
	p.shows("status", "Connection lost")
	green = restart(t, green, env("green"))
	front.to(green.Addr)
	p.on("green")
	p.forgive()
	screenshot(p, "journey-killed")

	p.do(network.Enable(), network.EmulateNetworkConditions(true, 0, -1, -1))
	p.shows("timeline", "The browser is offline")
	front.cut()
	p.click("burst")
	p.shows("status", "Connection lost")
	p.do(network.EmulateNetworkConditions(false, 0, -1, -1))
	p.shows("timeline", "The browser is online")
	p.on("green")
	p.forgive()
	p.click("stream")
	p.is("pending", "0")
	count := p.text("sent")
	p.intact(count)
	screenshot(p, "journey-online")

	opened := chromedp.WaitNewTarget(p.ctx, func(info *target.Info) bool { return info.URL != "" })
	p.click("second")
	second := open(t, p.ctx, chromedp.WithTargetID(<-opened))
	second.shows("status", "resumed at "+count)
	p.do(chromedp.Evaluate("document.getElementById('burst').click()", nil))
	p.shows("ended-text", "resumed elsewhere (4001)")
	second.is("count", count)
	p.forgive()
	screenshot(p, "journey-taken-over")
}

// on waits until the page is connected to a color.
func (p *page) on(color string) {
	p.t.Helper()
	p.shows("status", " "+color)
	p.is("color", color)
}
