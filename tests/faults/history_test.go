package faults

import (
	"strings"
	"testing"
)

// The checker has to be able to fail: each planted history is one server bug.
func TestHistoryChecker(t *testing.T) {
	say := func(numbers ...int) (events history) {
		for _, n := range numbers {
			events = append(events, event{sent, n})
		}
		return events
	}
	hear := func(counts ...int) (events history) {
		for _, n := range counts {
			events = append(events, event{replied, n})
		}
		return events
	}
	drain := history{{drained, 0}}
	open := func(count int) history { return history{{opened, count}} }
	for name, row := range map[string]struct {
		parts []history
		want  string // how each complaint begins; empty: there is none
	}{
		"plain":                         {[]history{open(unknown), say(1, 2, 3), hear(1, 2, 3)}, ""},
		"plain, cut, taken up":          {[]history{open(unknown), say(1, 2, 3), hear(1), open(unknown), say(4), hear(3)}, ""},
		"v1, sent again":                {[]history{open(0), say(1, 2, 3), hear(1), open(2), say(3, 4), hear(3, 4)}, ""},
		"v1, nothing was counted":       {[]history{open(0), say(1, 2), open(0), say(1, 2), hear(1, 2)}, ""},
		"forgets what it acknowledged":  {[]history{open(0), say(1, 2), hear(1, 2), open(1)}, "lost"},
		"answers before it stores":      {[]history{open(unknown), say(1, 2), hear(1, 2), open(unknown), say(3), hear(2)}, "lost"},
		"starts again from zero":        {[]history{open(unknown), say(1, 2), hear(1, 2), open(unknown), say(3), hear(1)}, "lost"},
		"counts a message twice":        {[]history{open(0), say(1), open(2)}, "duplicated"},
		"counts twice, plain":           {[]history{open(unknown), say(1), open(unknown), say(2), hear(3)}, "duplicated"},
		"a retried increment":           {[]history{open(0), say(1, 2), hear(1, 3)}, "lost"},
		"swaps replies":                 {[]history{open(0), say(1, 2, 3), hear(1, 3, 2)}, "lost reordered"},
		"answers twice":                 {[]history{open(0), say(1), hear(1, 2)}, "duplicated"},
		"the same reply again":          {[]history{open(0), say(1, 2), hear(1, 1)}, "reordered"},
		"a stranger's count":            {[]history{open(0), say(1), hear(7)}, "lost"},
		"a stranger's session message":  {[]history{open(41)}, "duplicated"},
		"a far stranger's":              {[]history{open(span + 3)}, "foreign"},
		"drained":                       {[]history{open(0), say(1, 2), hear(1, 2), drain, open(2)}, ""},
		"drained, the rest not counted": {[]history{open(unknown), say(1, 2), hear(1), drain, open(unknown), say(3), hear(2)}, ""},
		"drained, a reply still owed":   {[]history{open(0), say(1, 2), hear(1), drain, open(2)}, "unanswered"},
		"the same, plain":               {[]history{open(unknown), say(1, 2), hear(1), drain, open(unknown), say(3), hear(3)}, "unanswered"},
		"takes up where nothing was":    {[]history{open(unknown), say(1), hear(2)}, "duplicated"},
		"fences late, counts old sends": {[]history{open(0), say(1, 2), hear(1), open(1), say(2), hear(3)}, "lost"},
	} {
		t.Run(name, func(t *testing.T) {
			var whole history
			for _, part := range row.parts {
				whole = append(whole, part...)
			}
			var kinds []string
			for _, complaint := range whole.check() {
				kind, _, _ := strings.Cut(complaint, ":")
				kinds = append(kinds, kind)
			}
			if got := strings.Join(kinds, " "); got != row.want {
				t.Errorf("complaints %q, want %q", got, row.want)
			}
		})
	}
}
