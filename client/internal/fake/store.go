// Package fake is a Baton server for tests: real sockets, exact by default,
// and wrong in whichever way a test asks for.
package fake

import "sync"

// Store holds sessions; servers that share one are replicas of each other.
type Store struct {
	mu       sync.Mutex
	sessions map[string]*record
}

type record struct {
	count   uint64
	attempt uint64
	owner   *Conn
}

// NewStore returns an empty store.
func NewStore() *Store { return &Store{sessions: map[string]*record{}} }

// Count is what the session has counted.
func (s *Store) Count(session string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.record(session).count
}

// Set makes the store remember something else.
func (s *Store) Set(session string, count uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record(session).count = count
}

// SetAttempt makes the store remember another attempt.
func (s *Store) SetAttempt(session string, attempt uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record(session).attempt = attempt
}

// Forget empties the store, owners included.
func (s *Store) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.sessions)
}

// claim makes c the owner, unless its attempt is stale.
func (s *Store) claim(c *Conn, attempt uint64) (count uint64, resumed, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, resumed = s.sessions[c.Session]
	r := s.record(c.Session)
	if attempt > 0 && attempt <= r.attempt {
		return 0, resumed, false
	}
	r.attempt, r.owner = max(attempt, r.attempt), c
	return r.count, resumed, true
}

// commit stores n as c's count, unless c was fenced.
func (s *Store) commit(c *Conn, n uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.record(c.Session)
	if r.owner != nil && r.owner != c {
		return false
	}
	r.owner, r.count = c, n
	return true
}

func (s *Store) record(session string) *record {
	r := s.sessions[session]
	if r == nil {
		r = &record{}
		s.sessions[session] = r
	}
	return r
}
