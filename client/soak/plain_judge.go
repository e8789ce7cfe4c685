package soak

import "sync"

// plainJudge watches a session of plain clients. They can't know whether what
// was in flight when a connection ended is counted: unsure says how many
// messages that may be, until the next reply settles it.
type plainJudge struct {
	tally *tally

	mu      sync.Mutex
	high    uint64 // the last acknowledged count
	unsure  uint64 // written to earlier connections and not replied to
	written uint64 // to this connection
	replies uint64 // on this connection
}

// open begins a new connection.
func (j *plainJudge) open() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.unsure += j.written - j.replies
	j.written, j.replies = 0, 0
}

// sending is called before a message is written.
func (j *plainJudge) sending() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.written++
}

// reply takes one count.
func (j *plainJudge) reply(count uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.replies++
	least, most := j.high+1, j.high+1
	if j.replies == 1 {
		most += j.unsure
		j.unsure = 0
	}
	j.tally.acknowledged(1)
	switch {
	case j.replies > j.written:
		j.tally.reordered(1) // a reply to nothing
		j.replies--
	case count < least && j.replies > 1:
		j.tally.reordered(1)
		return
	case count < least:
		j.tally.lost(least - count)
	case count > most:
		j.tally.duplicated(count - most)
	}
	j.high = count
}

// final takes the count of the fresh connection at the end.
func (j *plainJudge) final(count uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	most := j.high + j.unsure + j.written - j.replies
	switch {
	case count < j.high:
		j.tally.lost(j.high - count)
	case count > most:
		j.tally.duplicated(count - most)
	}
}

// waiting is how many replies this connection owes.
func (j *plainJudge) waiting() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.written - j.replies
}
