package admission

import "testing"

func TestSameHost(t *testing.T) {
	for _, tc := range []struct {
		origin, host string
		want         bool
	}{
		{"http://localhost:8000", "localhost:8000", true},
		{"http://localhost:8001", "localhost:8000", false},
		{"http://example.com", "example.com", true},
		{"http://example.com", "example.com:80", true},
		{"https://example.com", "example.com", true},
		{"https://example.com", "example.com:443", true},
		{"https://example.com", "example.com:80", false},
		{"http://[::1]:8000", "[::1]:8000", true},
		{"http://[::1]", "[::1]", true},
		{"https://evil.example", "example.com", false},
		{"https://example.com.evil.example", "example.com", false},
		{"https://user@example.com", "example.com", false},
		{"ftp://example.com", "example.com", false},
		{"null", "null", false},
		{"https://", "", false},
	} {
		if got := sameHost(tc.origin, tc.host); got != tc.want {
			t.Errorf("sameHost(%q, %q) = %v, want %v", tc.origin, tc.host, got, tc.want)
		}
	}
}
