package config

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

func samplers() []string {
	return []string{
		"parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio",
		"always_on", "always_off", "traceidratio",
	}
}

func collectorURL(dst *string, s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("must be http://host[:port] or https://host[:port], with or without a path")
	}
	*dst = s
	return nil
}

// headerList reads name=value pairs as the OTLP exporter's specification wants
// them: comma-separated, values percent-encoded.
func headerList(dst *map[string]string, s string) error {
	headers := map[string]string{}
	for _, item := range list(s) {
		name, encoded, found := strings.Cut(item, "=")
		value, err := url.PathUnescape(strings.TrimSpace(encoded))
		name = strings.TrimSpace(name)
		if !found || err != nil || !isHeaderName(name) || strings.ContainsFunc(value, isControl) {
			return errors.New("must be name=value, comma-separated, values percent-encoded")
		}
		headers[name] = value
	}
	*dst = headers
	return nil
}

// isHeaderName tells whether s is a token as RFC 9110 section 5.6.2 has it.
func isHeaderName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

func ratio(dst *float64, s string) error {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f >= 0 && f <= 1) {
		return errors.New("must be a number from 0 to 1")
	}
	*dst = f
	return nil
}

func boolean(dst *bool, s string) error {
	switch strings.ToLower(s) {
	case "true", "false":
		*dst = strings.EqualFold(s, "true")
		return nil
	default:
		return errors.New("must be true or false")
	}
}
