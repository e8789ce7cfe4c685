package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"baton/middleware/redisurl"
)

// maxCount bounds every count: what a 32-bit int can hold.
const maxCount = 1<<31 - 1

func oneOf(dst *string, s string, allowed ...string) error {
	for _, a := range allowed {
		if s == a {
			*dst = s
			return nil
		}
	}
	return fmt.Errorf("must be %s", strings.Join(allowed, " or "))
}

func integer(dst *int, s string, low, high int) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < low || n > high {
		return fmt.Errorf("must be a whole number from %d to %d", low, high)
	}
	*dst = n
	return nil
}

func duration(dst *time.Duration, s string) error {
	d, err := time.ParseDuration(s)
	if err != nil || d < time.Millisecond || d > maxDuration {
		return errors.New("must be a positive duration with a unit, at least 1ms, such as 500ms, 30s or 1h")
	}
	*dst = d
	return nil
}

func host(dst *string, s string) error {
	if strings.ContainsAny(s, "/ \t@?#[]") || (strings.Contains(s, ":") && net.ParseIP(s) == nil) {
		return errors.New("must be a host name or an IP address, without port")
	}
	*dst = s
	return nil
}

func level(dst *slog.Level, s string) error {
	var name string
	if err := oneOf(&name, strings.ToLower(s), "debug", "info", "warn", "error"); err != nil {
		return err
	}
	return dst.UnmarshalText([]byte(name))
}

// minKey is the shortest key: what HMAC-SHA-256 makes of it is 32 bytes.
const minKey = 32

func keyList(dst *[]string, s string) error {
	// A file has them a line each, as a person would write it: as one key, they
	// would open nothing that each of them signed.
	for key := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		if len(key) < minKey {
			return fmt.Errorf("each key must have %d characters at least, such as openssl rand -hex 32 makes", minKey)
		}
		*dst = append(*dst, key)
	}
	return nil
}

func redisURL(dst *string, s string) error {
	if s == "" {
		return nil
	}
	if _, err := redisurl.Parse(s); err != nil {
		return err
	}
	*dst = s
	return nil
}

// maskURL hides the user information and the query of a URL; what cannot be
// parsed is hidden whole.
func maskURL(s string) string {
	single, hosts := redisurl.Hosts(s)
	if strings.Contains(s, "://") && len(hosts) > 1 {
		s = single
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" {
		return "***"
	}
	if u.Host == "" && u.Scheme != "unix" {
		return u.Scheme + ":***"
	}
	masked := u.Scheme + "://"
	if u.User != nil {
		masked += "***@"
	}
	masked += strings.Join(append([]string{u.Host}, hosts[1:]...), ",") + u.Path
	if u.RawQuery != "" || u.Opaque != "" || u.Fragment != "" {
		masked += "?***"
	}
	return masked
}

func origins(dst *[]string, s string) error {
	for _, item := range list(s) {
		if item != "*" && !isOrigin(item) {
			return fmt.Errorf("%q must be scheme://host[:port] without a path, or *", item)
		}
		*dst = append(*dst, strings.ToLower(item))
	}
	return nil
}

func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && !strings.Contains(u.Host, "*") &&
		strings.EqualFold(u.Scheme+"://"+u.Host, s)
}

func prefixes(dst *[]netip.Prefix, s string) error {
	if s == "none" {
		return nil
	}
	for _, item := range list(s) {
		prefix, err := netip.ParsePrefix(item)
		if err != nil {
			addr, addrErr := netip.ParseAddr(item)
			if addrErr != nil {
				return fmt.Errorf("%q must be an IP address or a CIDR such as 10.0.0.0/8 (or none)", item)
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		*dst = append(*dst, prefix.Masked())
	}
	return nil
}

func list(s string) []string {
	var items []string
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
