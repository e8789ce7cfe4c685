package wire

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"baton/tests/harness"
)

// utf8Cases are category 6, with the texts of Autobahn, which are Markus Kuhn's.
func utf8Cases() []conformanceCase {
	const greek, broken = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"
	text := "Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!"
	counted, refused := []string{"count"}, []string{"close:1007"}
	cases := []conformanceCase{
		{id: "6.1.1", name: "empty text", send: []harness.Frame{harness.Text("")}, want: counted},
		{id: "6.1.2", name: "three empty fragments", send: []harness.Frame{part(1, false, ""), part(0, false, ""), part(0, true, "")}, want: counted},
		{id: "6.1.3", name: "only the middle fragment has a payload", send: []harness.Frame{part(1, false, ""), part(0, false, "middle"), part(0, true, "")}, want: counted},
		{id: "6.2.1", name: "valid", send: []harness.Frame{harness.Text(text)}, want: counted},
		{id: "6.2.2", name: "valid, cut between code points", send: []harness.Frame{part(1, false, text[:12]), part(0, true, text[12:])}, want: counted},
		{id: "6.2.3", name: "valid, fragments of one octet", send: fragments([]byte(text), 1), want: counted},
		{id: "6.2.4", name: "valid greek, fragments of one octet", send: fragments([]byte(greek), 1), want: counted},
		{id: "6.3.1", name: "invalid", send: []harness.Frame{harness.Text(broken)}, want: refused},
		{id: "6.3.2", name: "invalid, fragments of one octet", send: fragments([]byte(broken), 1), want: refused},
	}
	early, rest := greek+"\xf4", "\x80\x80edited" // a whole message is judged at its end, which RFC 6455 section 8.1 allows
	for i, cut := range [][]string{{greek, "\xf4\x90\x80\x80", "edited"}, {early, "\x90", rest}} {
		fragmented := []harness.Frame{part(1, false, cut[0]), part(0, false, cut[1]), part(0, true, cut[2])}
		cases = append(cases,
			conformanceCase{id: "6.4." + itoa(i+1), name: "invalid in a middle fragment", send: fragmented, want: refused},
			conformanceCase{id: "6.4." + itoa(i+3), name: "invalid in the middle of a frame, chopped", chop: len(cut[0]) + 6, send: []harness.Frame{harness.Text(strings.Join(cut, ""))}, want: refused},
		)
	}
	for group, texts := range utf8Texts(greek) {
		for i, payload := range texts {
			c := conformanceCase{id: group + itoa(i+1), name: fmt.Sprintf("%+.40q", payload), send: []harness.Frame{harness.Text(payload)}, want: refused}
			if utf8.ValidString(payload) {
				c.want = counted
			}
			byOctets := c
			byOctets.name, byOctets.send = c.name+", fragments of one octet", fragments([]byte(payload), 1)
			cases = append(cases, c, byOctets)
		}
	}
	return cases
}

// utf8Texts are the texts of 6.5 to 6.23, in Autobahn's order.
func utf8Texts(greek string) map[string][]string {
	var prefixes, lonely, all, beyond []string
	for i := range len(greek) {
		prefixes = append(prefixes, greek[:i+1])
	}
	for _, row := range [][2]int{{0xc0, 0xdf}, {0xe0, 0xef}, {0xf0, 0xf7}, {0xf8, 0xfb}, {0xfc, 0xfd}} {
		var text []byte
		for first := row[0]; first <= row[1]; first++ {
			text = append(text, byte(first), ' ')
		}
		lonely = append(lonely, string(text))
	}
	for b := 0x80; b <= 0xbf; b++ {
		all = append(all, string([]byte{byte(b)}))
	}
	for plane := range rune(17) { // the last two of each are no characters, and valid all the same
		beyond = append(beyond, string(plane<<16|0xfffe), string(plane<<16|0xffff))
	}
	return map[string][]string{
		"6.5.":  {"hello$world", "hello\xc2\xa2world", "hello\xe2\x82\xacworld", "hello\xf0\xa4\xad\xa2world", greek},
		"6.6.":  prefixes,
		"6.7.":  {"\x00", "\xc2\x80", "\xe0\xa0\x80", "\xf0\x90\x80\x80"},
		"6.8.":  {"\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80"},
		"6.9.":  {"\x7f", "\xdf\xbf", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf"},
		"6.10.": {"\xf7\xbf\xbf\xbf", "\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf"},
		"6.11.": {"\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbd", "\xf4\x8f\xbf\xbf", "\xf4\x90\x80\x80"},
		"6.12.": {"\x80", "\xbf", "\x80\xbf", "\x80\xbf\x80", "\x80\xbf\x80\xbf", "\x80\xbf\x80\xbf\x80", "\x80\xbf\x80\xbf\x80\xbf", strings.Join(all, "")},
		"6.13.": lonely,
		"6.14.": {"\xc0", "\xe0\x80", "\xf0\x80\x80", "\xf8\x80\x80\x80", "\xfc\x80\x80\x80\x80", "\xdf", "\xef\xbf", "\xf7\xbf\xbf", "\xfb\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf"},
		"6.15.": {"\xc0\xe0\x80\xf0\x80\x80\xf8\x80\x80\x80\xfc\x80\x80\x80\x80\xdf\xef\xbf\xf7\xbf\xbf\xfb\xbf\xbf\xbf\xfd\xbf\xbf\xbf\xbf"},
		"6.16.": {"\xfe", "\xff", "\xfe\xfe\xff\xff"},
		"6.17.": {"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf", "\xfc\x80\x80\x80\x80\xaf"},
		"6.18.": {"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf8\x87\xbf\xbf\xbf", "\xfc\x83\xbf\xbf\xbf\xbf"},
		"6.19.": {"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf8\x80\x80\x80\x80", "\xfc\x80\x80\x80\x80\x80"},
		"6.20.": {"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf", "\xed\xb0\x80", "\xed\xbe\x80", "\xed\xbf\xbf"},
		"6.21.": {"\xed\xa0\x80\xed\xb0\x80", "\xed\xa0\x80\xed\xbf\xbf", "\xed\xad\xbf\xed\xb0\x80", "\xed\xad\xbf\xed\xbf\xbf", "\xed\xae\x80\xed\xb0\x80", "\xed\xae\x80\xed\xbf\xbf", "\xed\xaf\xbf\xed\xb0\x80", "\xed\xaf\xbf\xed\xbf\xbf"},
		"6.22.": beyond,
		"6.23.": {"\xef\xbf\xb9", "\xef\xbf\xba", "\xef\xbf\xbb", "\xef\xbf\xbc", "\xef\xbf\xbd", "\xef\xbf\xbe", "\xef\xbf\xbf"},
	}
}
