package wire

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const conformancePage = "../../docs/conformance.md"

const conformanceHead = `# Conformance

The cases of the Autobahn WebSocket test suite, categories 1 to 7, 9 and 10, by its numbers. Autobahn's own fuzzing client expects an echo;
Baton counts, so that each case is sent by a client of ours: a text is answered with its count, a binary message with
close 1003. ` + "`go test ./tests/wire -run Conformance`" + ` sends every one to the built server and fails if one is answered otherwise;
` + "`make e2e`" + ` does so on both connection cores. The same test holds this page to the list.

Not here: 12 and 13, compression, which is never negotiated. Autobahn has no 8 and no 11. 7.13 is informational: the code is
refused or echoed. 6.4 is answered when the message has ended, which Autobahn calls non-strict and RFC 6455 section 8.1 allows.

Clients that others wrote, as they are (` + "`go test ./tests/wire -run ClientsOfOthers`" + `): Python websockets and websocket-client,
Node's own WebSocket, curl, and Chromium (` + "`./tests/browser`" + `), k6 and Locust (` + "`./tests/loadtest`" + `).

| case | sent | answered |
|---|---|---|
`

// The page is the list of cases. UPDATE_PAGES writes it anew.
func TestConformancePage(t *testing.T) {
	t.Parallel()
	cases := conformanceCases()
	slices.SortStableFunc(cases, func(a, b conformanceCase) int { return slices.Compare(numbers(a.id), numbers(b.id)) })
	var page strings.Builder
	page.WriteString(conformanceHead)
	for _, c := range cases {
		fmt.Fprintf(&page, "| %s | %s | %s |\n", c.id, strings.ReplaceAll(c.name, "|", "\\|"), cmp.Or(answers(c.want), "nothing"))
	}
	text := page.String()
	if os.Getenv("UPDATE_PAGES") != "" {
		if err := os.WriteFile(conformancePage, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := os.ReadFile(conformancePage); err != nil || string(found) != text {
		t.Errorf("docs/conformance.md is not the list of cases: UPDATE_PAGES=1 go test ./tests/wire -run ConformancePage")
	}
}

// numbers of an id, for their order.
func numbers(id string) []int {
	var all []int
	for text := range strings.SplitSeq(id, ".") {
		n, _ := strconv.Atoi(text)
		all = append(all, n)
	}
	return all
}

// answers in a few words: what comes many times is said once.
func answers(want []string) string {
	var all []string
	for _, answer := range want {
		kind, rest, _ := strings.Cut(answer, ":")
		if kind == "close" {
			kind += " " + strings.ReplaceAll(rest, "|", " or ")
		}
		all = append(all, kind)
	}
	n := len(all)
	if all = slices.Compact(all); n > 2 && len(all) == 1 {
		return fmt.Sprintf("%d times %s", n, all[0])
	}
	return strings.Join(all, ", ")
}
