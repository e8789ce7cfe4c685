package frontdoor

import (
	"fmt"
	"regexp"
	"strings"
)

// matcher tells whether a router is meant for a path.
type matcher func(path string) bool

// matcherPattern is one term of a rule, Name(`argument`).
const matcherPattern = "^(Path|PathPrefix|PathRegexp)\\(`([^`]*)`\\)$"

// parseRule reads terms joined by ||.
func parseRule(rule string) (matcher, error) {
	term := regexp.MustCompile(matcherPattern)
	var matchers []matcher
	for part := range strings.SplitSeq(rule, "||") {
		found := term.FindStringSubmatch(strings.TrimSpace(part))
		if found == nil {
			return nil, fmt.Errorf("rule %q: only Path, PathPrefix and PathRegexp joined by || are known here", rule)
		}
		m, err := newMatcher(found[1], found[2])
		if err != nil {
			return nil, fmt.Errorf("rule %q: %w", rule, err)
		}
		matchers = append(matchers, m)
	}
	return anyOf(matchers), nil
}

func newMatcher(name, argument string) (matcher, error) {
	switch name {
	case "Path":
		return func(path string) bool { return path == argument }, nil
	case "PathPrefix":
		return func(path string) bool { return strings.HasPrefix(path, argument) }, nil
	default:
		pattern, err := regexp.Compile(argument)
		if err != nil {
			return nil, err
		}
		return pattern.MatchString, nil
	}
}

func anyOf(matchers []matcher) matcher {
	return func(path string) bool {
		for _, m := range matchers {
			if m(path) {
				return true
			}
		}
		return false
	}
}
