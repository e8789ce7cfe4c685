package switchtest

import "baton/tests/harness"

// soakClients talk during a whole test.
const soakClients = 20

func (s *stack) soak() *harness.Soak {
	s.t.Helper()
	return harness.StartSoak(s.t, s.Front(), soakClients)
}
