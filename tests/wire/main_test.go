// Package wire checks the contract of the service from the outside: what the wire, the endpoints, the variables,
// the metrics and the logs promise, against the built binary and with nothing known of its inside.
package wire

import (
	"testing"

	"baton/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// sessionA and sessionB are two sessions; every test has a store of its own, so that they never meet.
const (
	sessionA = "0e37df36-f698-4d1c-9f0e-0d8bde6b2f6a"
	sessionB = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
)
