// Package clients holds what clients rely on against a running server: the documents of the protocol, and what a
// promotion costs a client of each kind.
package clients

import (
	"testing"
	"time"

	"baton/tests/harness"
)

// patience is how long a test waits for what has to happen.
const patience = 20 * time.Second

func TestMain(m *testing.M) { harness.Main(m) }
