package soak

import "sync"

// judge watches what the server says of one session.
//
// high is the count the server has vouched for; sent is what it can have
// counted at most. Each fault is charged once: offset moves the session's
// numbering by what was lost or counted twice, so that what follows is
// measured from there.
type judge struct {
	tally *tally

	mu     sync.Mutex
	sent   uint64
	high   uint64
	prev   uint64 // count of the last frame on this connection
	offset int64
}

// sending is called before a message is handed over: from then on it may be
// counted. unsent takes it back.
func (j *judge) sending() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.sent++
}

func (j *judge) unsent() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.sent--
}

// open takes the count of a session message.
func (j *judge) open(count uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.weigh(count)
	j.prev = count
}

// reply takes the count of a reply. On one connection they rise by one.
func (j *judge) reply(count uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if count != j.prev+1 {
		j.tally.reordered(1)
	}
	j.prev = count
	if count > j.high { // else it was charged as out of order
		j.weigh(count)
	}
}

// final takes the count of the fresh connection at the end: exactly what was
// sent must be there.
func (j *judge) final(count uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.weigh(count)
	if want := j.possible(); count < want {
		j.tally.lost(want - count)
	}
}

// weigh compares a count with the most and the least it can be.
func (j *judge) weigh(count uint64) {
	switch {
	case count < j.high:
		j.tally.lost(j.high - count)
		j.offset -= int64(j.high - count)
	case count > j.possible():
		j.tally.duplicated(count - j.possible())
		j.tally.acknowledged(j.possible() - j.high)
		j.offset += int64(count - j.possible())
	default:
		j.tally.acknowledged(count - j.high)
	}
	j.high = count
}

// possible is the highest count a server without fault can have.
func (j *judge) possible() uint64 {
	return max(uint64(int64(j.sent)+j.offset), j.high)
}
