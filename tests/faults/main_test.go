// Package faults breaks processes, Redis and the network under load and checks that every count is exact.
package faults

import (
	"testing"

	"baton/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
