package faults

import (
	"bytes"
	"os"
	"testing"
)

// envPage is the page whose tables a run writes; empty: none.
const envPage = "FAULT_PAGE"

// publish writes a section of the page anew; the rest is left alone. A failed run publishes nothing.
func publish(t *testing.T, section, text string) {
	t.Helper()
	path := os.Getenv(envPage)
	if path == "" || t.Failed() {
		return
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := []byte("<!-- "+section+" -->\n"), []byte("<!-- /"+section+" -->")
	before, rest, found := bytes.Cut(page, begin)
	_, after, ended := bytes.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no section %s", path, section)
	}
	page = bytes.Join([][]byte{before, begin, []byte("\n" + text + "\n\n"), end, after}, nil)
	if err := os.WriteFile(path, page, 0o600); err != nil {
		t.Fatal(err)
	}
}
