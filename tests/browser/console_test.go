package browser

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"testing"

	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"baton/tests/harness"
)

func serve(t *testing.T, env harness.Env) *harness.Server {
	t.Helper()
	chromium(t)
	return harness.Start(t, env)
}

func console(s *harness.Server) string { return "http://" + s.Addr + "/" }

func TestConsoleCountsAndShowsHeartbeats(t *testing.T) {
	server := serve(t, harness.Env{"HEARTBEAT_INTERVAL": "200ms", "COLOR": "green"})
	p := browse(t, console(server))
	p.shows("status", "Connected to green")
	p.do(chromedp.SetValue("#text", "hello", chromedp.ByQuery), chromedp.SendKeys("#text", "\r", chromedp.ByQuery))
	p.is("count", "1")
	p.click("burst")
	p.intact("101")
	p.shows("last-heartbeat", "Last heartbeat at")
	p.shows("chart-summary", "over 101 messages")
	p.is("color", "green")
	if color := eval[string](p, "document.documentElement.dataset.color"); color != "green" {
		t.Errorf("the page is %q, want green", color)
	}
	if session := p.text("session"); len(session) != 36 {
		t.Errorf("the session is %q, want a UUID", session)
	}
}

func TestConsoleResumesAfterAReloadAndStartsAnew(t *testing.T) {
	p := browse(t, console(serve(t, nil)))
	p.shows("status", "Connected to blue")
	p.click("burst")
	p.intact("100")
	session := p.text("session")
	p.do(chromedp.Reload())
	p.shows("status", "resumed at 100")
	p.is("session", session)
	p.click("new")
	p.shows("status", "new session")
	p.is("count", "0")
	if p.text("session") == session {
		t.Error("a new session has the old one's name")
	}
}

func TestConsoleSurvivesABrokenNetwork(t *testing.T) {
	p := browse(t, console(serve(t, nil)))
	p.shows("status", "Connected")
	p.click("burst")
	p.click("break")
	p.shows("status", "Connection lost")
	p.click("burst")
	p.shows("status", "Resumed on blue")
	p.intact("200")
	p.is("reconnects", "1")
}

func TestConsoleSurvivesKillOfTheServer(t *testing.T) {
	redis := harness.StartRedis(t)
	env := harness.Env{"REDIS_URL": redis.URL()}
	server := serve(t, env)
	p := browse(t, console(server))
	p.shows("status", "Connected")
	p.click("burst")
	p.is("count", "100")
	p.click("burst")
	server.Kill()
	p.shows("status", "Connection lost")
	p.click("burst")
	restart(t, server, env)
	p.shows("status", "Resumed on blue")
	p.forgive()
	p.intact("300")
}

func TestConsoleStopsWhenASecondTabTakesTheSession(t *testing.T) {
	p := browse(t, console(serve(t, nil)))
	p.shows("status", "Connected")
	p.click("burst")
	p.intact("100")

	opened := chromedp.WaitNewTarget(p.ctx, func(info *target.Info) bool { return info.URL != "" })
	p.click("second")
	second := open(t, p.ctx, chromedp.WithTargetID(<-opened))
	second.shows("status", "resumed at 100")

	p.do(chromedp.Evaluate("document.getElementById('burst').click()", nil))
	p.shows("ended-text", "resumed elsewhere (4001)")
	p.shows("ended-text", "100 messages were not acknowledged")
	second.do(chromedp.Evaluate("document.getElementById('burst').click()", nil))
	second.intact("200")

	p.do(chromedp.Evaluate("document.getElementById('take-back').click()", nil))
	p.shows("status", "resumed at 200")
}

// A duplicated tab starts with a copy of the first one's sessionStorage.
func TestConsoleInADuplicatedTabLeavesTheSessionToTheFirst(t *testing.T) {
	p := browse(t, console(serve(t, nil)))
	p.shows("status", "Connected")
	p.click("burst")
	p.intact("100")
	opened := chromedp.WaitNewTarget(p.ctx, func(info *target.Info) bool { return info.URL != "" })
	p.do(chromedp.Evaluate("void open(location.href)", nil))
	second := open(t, p.ctx, chromedp.WithTargetID(<-opened))
	second.shows("status", "new session")
	if second.text("session") == p.text("session") {
		t.Error("two tabs have one session")
	}
	p.do(cdppage.BringToFront(), chromedp.Evaluate("document.getElementById('burst').click()", nil))
	p.intact("200")
}

func TestConsoleBehindAPrefix(t *testing.T) {
	server := serve(t, harness.Env{"COLOR": "green"})
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: server.Addr})
		r.Out.Host = r.In.Host
	}}
	front := httptest.NewServer(http.StripPrefix("/green", proxy))
	t.Cleanup(front.Close)
	p := browse(t, front.URL+"/green/")
	p.shows("status", "Connected to green")
	p.click("burst")
	p.intact("100")
	p.is("version", "dev")
}

func TestConsoleSurvivesOffline(t *testing.T) {
	server := serve(t, nil)
	front := harness.Balance(t, server.Addr)
	p := browse(t, "http://"+front.Addr+"/")
	p.shows("status", "Connected")
	p.click("burst")
	p.is("count", "100")
	p.do(network.Enable(), network.EmulateNetworkConditions(true, 0, -1, -1))
	p.shows("timeline", "The browser is offline")
	front.Cut(1)
	p.click("burst")
	p.shows("status", "Connection lost")
	p.do(network.EmulateNetworkConditions(false, 0, -1, -1))
	p.shows("timeline", "The browser is online")
	p.shows("status", "Resumed on blue")
	p.forgive()
	p.intact("200")
}

func restart(t *testing.T, server *harness.Server, env harness.Env) *harness.Server {
	t.Helper()
	_, port, err := net.SplitHostPort(server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	again := harness.StartOn(t, number, env)
	again.WaitReady()
	return again
}
