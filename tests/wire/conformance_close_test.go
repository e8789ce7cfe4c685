package wire

import (
	"strings"

	"baton/tests/harness"
)

// closeCases are category 7: the closing handshake.
func closeCases() []conformanceCase {
	hello, bye := harness.Text("Hello World!"), harness.Close(1000, "")
	cut := part(harness.OpText, false, "fragment1")
	rest := part(harness.OpContinuation, true, "fragment2")
	closing := func(id, name string, frame harness.Frame, want string) conformanceCase {
		return conformanceCase{id: id, name: name, send: []harness.Frame{frame}, want: []string{"close:" + want}}
	}
	cases := []conformanceCase{
		{id: "7.1.1", name: "text, then close", send: []harness.Frame{hello, bye}, want: []string{"count", "close:1000"}},
		{id: "7.1.2", name: "two closes", send: []harness.Frame{bye, bye}, want: []string{"close:1000"}},
		{id: "7.1.3", name: "ping after the close", send: []harness.Frame{bye, ping("")}, want: []string{"close:1000"}},
		{id: "7.1.4", name: "text after the close", send: []harness.Frame{bye, hello}, want: []string{"close:1000"}},
		{id: "7.1.5", name: "close within a message", send: []harness.Frame{cut, bye, rest}, want: []string{"close:1000"}},
		{id: "7.1.6", name: "64 KB, text, close, ping", send: []harness.Frame{harness.Text(strings.Repeat("BAsd7&jh23", 6553)), hello, bye, ping("")}, want: []string{"count", "count", "close:1000"}},
		closing("7.3.1", "close without payload", harness.Frame{Op: harness.OpClose}, "1005|1000"),
		closing("7.3.2", "close of one byte", harness.Frame{Op: harness.OpClose, Payload: []byte("a")}, "1002"),
		closing("7.3.3", "close with a code", bye, "1000"),
		closing("7.3.4", "close with a reason", harness.Close(1000, "Hello World!"), "1000"),
		closing("7.3.5", "close with the longest reason", harness.Close(1000, strings.Repeat("*", 123)), "1000"),
		closing("7.3.6", "close with too long a reason", harness.Close(1000, strings.Repeat("*", 124)), "1002"),
		closing("7.5.1", "close with a reason that is no UTF-8", harness.Close(1000, "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"), "1007"),
	}
	for i, code := range []uint16{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		cases = append(cases, closing("7.7."+itoa(i+1), "close "+itoa(int(code)), harness.Close(code, ""), itoa(int(code))))
	}
	for i, code := range []uint16{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999} {
		cases = append(cases, closing("7.9."+itoa(i+1), "close "+itoa(int(code)), harness.Close(code, ""), "1002"))
	}
	// Autobahn only informs about these two; to count them as a violation is what the RFC's section 7.4.2 leads to.
	return append(cases,
		closing("7.13.1", "close 5000", harness.Close(5000, ""), "1002|5000"),
		closing("7.13.2", "close 65535", harness.Close(65535, ""), "1002|65535"),
	)
}
