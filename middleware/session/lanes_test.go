package session

import "testing"

// The values are those of CLUSTER KEYSLOT.
func TestSlot(t *testing.T) {
	for session, want := range map[string]int{"123456789": 12739, "foo": 12182, "bar": 5061, "5f3a1c1e-8d5c-4c6e-9a3e-0d6c1e2f3a4b": 13422} {
		if got := slot(session); got != want {
			t.Errorf("slot(%s) = %d, want %d", session, got, want)
		}
	}
}
