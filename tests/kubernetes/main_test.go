//go:build !cluster

package kubernetes

import (
	"testing"

	"baton/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
