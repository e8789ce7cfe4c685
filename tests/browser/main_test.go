// Package browser drives the console in a headless Chromium, against the built binary.
package browser

import (
	"testing"

	"baton/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
