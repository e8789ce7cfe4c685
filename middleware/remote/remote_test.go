package remote

import (
	"net/netip"
	"testing"
)

func TestXForwardedForIsReadFromItsEndAsFarAsProxiesAreTrusted(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8")}
	for name, tc := range map[string]struct {
		peer      string
		forwarded []string
		want      string
	}{
		"no proxy":                   {"203.0.113.9", nil, "203.0.113.9"},
		"stranger writes the header": {"203.0.113.9", []string{"1.2.3.4"}, "203.0.113.9"},
		"one proxy":                  {"10.0.0.1", []string{"203.0.113.9"}, "203.0.113.9"},
		"client wrote one itself":    {"10.0.0.1", []string{"1.2.3.4, 203.0.113.9"}, "203.0.113.9"},
		"two proxies":                {"127.0.0.1", []string{"1.2.3.4, 203.0.113.9, 10.0.0.7"}, "203.0.113.9"},
		"two headers":                {"10.0.0.1", []string{"1.2.3.4", "203.0.113.9"}, "203.0.113.9"},
		"all trusted":                {"10.0.0.1", []string{"10.0.0.2"}, "10.0.0.2"},
		"nonsense":                   {"10.0.0.1", []string{"1.2.3.4, <script>"}, "10.0.0.1"},
		"IPv6":                       {"10.0.0.1", []string{"2001:db8::1"}, "2001:db8::1"},
		"with a port":                {"10.0.0.1", []string{"203.0.113.9:4711"}, "203.0.113.9"},
		"IPv6 with a port":           {"10.0.0.1", []string{"[2001:db8::1]:4711"}, "2001:db8::1"},
		"a zone is any text":         {"10.0.0.1", []string{"fe80::1%\x1b[31m level=ERROR"}, "fe80::1"},
		"mapped":                     {"10.0.0.1", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := client(netip.MustParseAddr(tc.peer), tc.forwarded, trusted); got.String() != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestIPv6IsCountedByItsNetwork(t *testing.T) {
	for given, want := range map[string]string{
		"203.0.113.9":           "203.0.113.9",
		"2001:db8:1:2:3:4:5:6":  "2001:db8:1:2::",
		"2001:db8:1:2:ffff::":   "2001:db8:1:2::",
		"2001:db8:1:3::1":       "2001:db8:1:3::",
		"fe80::1%eth0":          "fe80::",
		"::ffff:203.0.113.9":    "::ffff:203.0.113.9", // client unmaps before
		"2001:db8:1:2::1%spoof": "2001:db8:1:2::",
	} {
		if got := network(netip.MustParseAddr(given)); got.String() != want {
			t.Errorf("%s is counted as %s, want %s", given, got, want)
		}
	}
}
