package wire

import (
	"strings"
	"testing"

	"baton/tests/harness"
)

func TestUpgradeRequired(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	for name, header := range map[string][]string{
		"no upgrade headers": {"Upgrade:", "Connection:"},
		"no Upgrade":         {"Upgrade:"},
		"no Connection":      {"Connection:"},
		"another protocol":   {"Upgrade: h2c"},
		"connection close":   {"Connection: close"},
	} {
		t.Run(name, func(t *testing.T) {
			answer := s.Refused(harness.Handshake{Header: header})
			if answer.Status != 426 || answer.ErrorCode(t) != "upgrade_required" {
				t.Errorf("%d %s", answer.Status, answer.Body)
			}
			if got := answer.Header.Get("Upgrade"); !strings.EqualFold(got, "websocket") {
				t.Errorf("Upgrade is %q", got)
			}
		})
	}
}

func TestHandshakeHeadersInOtherSpellings(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	for name, header := range map[string][]string{
		"upper case":  {"Upgrade: WebSocket", "Connection: UPGRADE"},
		"connections": {"Connection: keep-alive, Upgrade"},
		"no space":    {"Upgrade:websocket", "Connection:Upgrade"},
		"extensions":  {"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-unknown"},
		"cookies":     {"Cookie: " + strings.Repeat("a=b; ", 200)},
	} {
		t.Run(name, func(t *testing.T) {
			p, answer, err := harness.Handshake{Header: header}.Open(s.Addr)
			if err != nil || p == nil {
				t.Fatalf("%d %s %v", answer.Status, answer.Body, err)
			}
			p.Close()
			if got := answer.Header.Get("Sec-WebSocket-Extensions"); got != "" {
				t.Errorf("the server takes the extension %q", got)
			}
		})
	}
}

func TestBrokenHandshakesAreRefused(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	for name, h := range map[string]harness.Handshake{
		"version 8":      {Header: []string{"Sec-WebSocket-Version: 8"}},
		"no version":     {Header: []string{"Sec-WebSocket-Version:"}},
		"no key":         {Header: []string{"Sec-WebSocket-Key:"}},
		"short key":      {Header: []string{"Sec-WebSocket-Key: YWJj"}},
		"key no base64":  {Header: []string{"Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!=="}},
		"POST":           {Method: "POST", Header: []string{"Content-Length: 0"}},
		"HTTP/1.0":       {Protocol: "HTTP/1.0"},
		"another path":   {Path: "/ws/chat/more"},
		"another socket": {Path: "/ws/"},
	} {
		t.Run(name, func(t *testing.T) {
			answer := s.Refused(h)
			if answer.Status < 400 || answer.Status > 499 {
				t.Errorf("%d %s", answer.Status, answer.Body)
			}
			answer.ErrorCode(t)
			if strings.Contains(name, "version") && answer.Header.Get("Sec-WebSocket-Version") != "13" {
				t.Errorf("Sec-WebSocket-Version is %q, RFC 6455 4.2.2 wants 13", answer.Header.Get("Sec-WebSocket-Version"))
			}
		})
	}
}

func TestAtCapacity(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"MAX_CONNECTIONS": "3"})
	for range 3 {
		s.Dial(harness.Handshake{})
	}
	answer := s.Refused(harness.Handshake{})
	if answer.Status != 503 || answer.ErrorCode(t) != "at_capacity" || answer.RetryAfter() == 0 {
		t.Errorf("%d %v %s", answer.Status, answer.Header, answer.Body)
	}
	if answer := s.Get("/readyz"); answer.Status != 200 {
		t.Errorf("a full server is still ready: %d", answer.Status)
	}
	unlimited := harness.Start(t, harness.Env{"MAX_CONNECTIONS": "0"})
	for range 20 {
		unlimited.Dial(harness.Handshake{}).Silent()
	}
}

func TestConnectRate(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"CONNECT_RATE": "3", "TRUSTED_PROXIES": "192.0.2.1"})
	taken, refused := 0, 0
	for range 12 {
		p, answer, err := harness.Handshake{}.Open(s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		if p != nil {
			p.Close()
			taken++
			continue
		}
		refused++
		if answer.Status != 429 || answer.ErrorCode(t) != "rate_limited" || answer.RetryAfter() == 0 {
			t.Fatalf("%d %v %s", answer.Status, answer.Header, answer.Body)
		}
	}
	if taken < 3 || refused < 5 {
		t.Errorf("%d taken, %d refused", taken, refused)
	}
	s.Dial(harness.Handshake{LocalIP: "127.0.0.2"}) // another address
	for _, spoofed := range []string{"203.0.113.1", "203.0.113.2"} {
		answer := s.Refused(harness.Handshake{Header: []string{"X-Forwarded-For: " + spoofed, "X-Real-Ip: " + spoofed, "Forwarded: for=" + spoofed}})
		if answer.Status != 429 {
			t.Errorf("X-Forwarded-For of a stranger is believed: %d", answer.Status)
		}
	}
	if answer := s.Get("/healthz"); answer.Status != 200 {
		t.Errorf("CONNECT_RATE hits /healthz: %d", answer.Status)
	}
}

func TestConnectRateBehindATrustedProxy(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"CONNECT_RATE": "2"})
	from := func(chain string) int {
		p, answer, err := harness.Handshake{Header: []string{"X-Forwarded-For: " + chain}}.Open(s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		if p != nil {
			p.Close()
		}
		return answer.Status
	}
	refused := 0
	for i := range 10 {
		// What stands before the last address that is no proxy of ours, the client wrote itself.
		if from("198.51.100."+itoa(i)+", 203.0.113.7, 10.0.0.1") == 429 {
			refused++
		}
	}
	if refused < 5 {
		t.Errorf("a client that invents addresses was refused %d times of 10", refused)
	}
	if status := from("203.0.113.8"); status != 101 {
		t.Errorf("another client: %d", status)
	}
}

func TestMaxConnectionsPerAddress(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Env{"MAX_CONNECTIONS_PER_ADDRESS": "3"})
	from := func(chain string) harness.Handshake {
		return harness.Handshake{Header: []string{"X-Forwarded-For: " + chain}}
	}
	for name, of := range map[string]func(i int) string{
		"IPv4":                        func(int) string { return "203.0.113.7" },
		"IPv6, any of one /64":        func(i int) string { return "2001:db8:1:2::" + itoa(i+1) },
		"who invents hops before its": func(i int) string { return "198.51.100." + itoa(i) + ", 203.0.113.9, 10.0.0.1" },
	} {
		var held []*harness.Peer
		for i := range 3 {
			held = append(held, s.Dial(from(of(i))))
		}
		answer := s.Refused(from(of(3)))
		if answer.Status != 429 || answer.ErrorCode(t) != "too_many_connections" || answer.RetryAfter() == 0 {
			t.Fatalf("%s: %d %v %s", name, answer.Status, answer.Header, answer.Body)
		}
		held[0].Say("m")
		held[0].Count(1)
		held[0].Close()
		harness.Eventually(t, waitFor, name+": a place that was left is free", func() bool {
			p, _, err := from(of(4)).Open(s.Addr)
			return err == nil && p != nil
		})
	}
	s.Dial(from("2001:db8:1:3::1"))
	for range 10 { // a trusted proxy that passes no address on stands for everybody
		s.Dial(harness.Handshake{})
	}
	if got := s.Metrics().Value("websocket_errors_total", "reason", "too_many_connections"); got < 3 {
		t.Errorf("counted %v refusals", got)
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	list := harness.Start(t, harness.Env{"ALLOWED_ORIGINS": "https://app.example.com, http://localhost:3000"})
	none := harness.Start(t, nil)
	all := harness.Start(t, harness.Env{"ALLOWED_ORIGINS": "*"})
	for _, row := range []struct {
		server *harness.Server
		host   string
		origin string
		taken  bool
	}{
		{none, "", "", true},
		{none, "", "http://" + none.Addr, true},
		{none, "shop.example", "https://shop.example", true}, // TLS ends at the proxy
		{none, "shop.example", "http://shop.example", true},
		{none, "Shop.Example", "https://shop.example", true},
		{none, "shop.example:8080", "http://shop.example:8080", true},
		{none, "shop.example", "https://shop.example:8443", false},
		{none, "shop.example:8080", "http://shop.example", false},
		{none, "", "http://127.0.0.1", false},
		{none, "", "http://127.0.0.1:1", false},
		{none, "", "https://evil.example", false},
		{none, "", "null", false},
		{none, "", "evil", false},
		{none, "", "http://" + none.Addr + ".evil.example", false},
		{none, "", "http://evil.example/" + none.Addr, false},
		{none, "", "http://" + none.Addr + "@evil.example", false},
		{list, "", "https://app.example.com", true},
		{list, "", "HTTPS://APP.example.COM", true},
		{list, "", "http://localhost:3000", true},
		{list, "", "http://" + list.Addr, true},
		{list, "", "http://app.example.com", false},
		{list, "", "https://app.example.com.evil.example", false},
		{list, "", "https://evilapp.example.com", false},
		{list, "", "https://app.example.com:8443", false},
		{list, "", "http://localhost:3001", false},
		{list, "", "https://sub.app.example.com", false},
		{list, "", "null", false},
		{all, "", "https://evil.example", true},
		{all, "", "null", true},
	} {
		var header []string
		if row.origin != "" {
			header = append(header, "Origin: "+row.origin)
		}
		if row.host != "" {
			header = append(header, "Host: "+row.host)
		}
		p, answer, err := harness.Handshake{Header: header}.Open(row.server.Addr)
		if err != nil {
			t.Fatal(err)
		}
		if p != nil {
			p.Close()
		}
		if (p != nil) != row.taken {
			t.Errorf("host %q origin %q: %d, want taken %v", row.host, row.origin, answer.Status, row.taken)
		}
		if !row.taken && (answer.Status != 403 || answer.ErrorCode(t) != "origin_not_allowed") {
			t.Errorf("origin %q: %d %s", row.origin, answer.Status, answer.Body)
		}
	}
}
