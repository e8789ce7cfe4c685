package transport

import (
	"sync"
	"sync/atomic"
)

// tableChunk is how many descriptors a chunk of the table holds.
const tableChunk = 1024

// table finds a socket by its descriptor without a lock: descriptors are small
// numbers, so it is an array that grows by chunks.
type table struct {
	grow   sync.Mutex
	chunks atomic.Pointer[[]*[tableChunk]atomic.Pointer[epollSocket]]
}

func (t *table) get(fd int) *epollSocket {
	chunks := t.chunks.Load()
	if chunks == nil || fd/tableChunk >= len(*chunks) {
		return nil
	}
	return (*chunks)[fd/tableChunk][fd%tableChunk].Load()
}

func (t *table) set(fd int, s *epollSocket) {
	chunks := t.chunks.Load()
	if chunks == nil || fd/tableChunk >= len(*chunks) {
		chunks = t.extend(fd)
	}
	(*chunks)[fd/tableChunk][fd%tableChunk].Store(s)
}

func (t *table) extend(fd int) *[]*[tableChunk]atomic.Pointer[epollSocket] {
	t.grow.Lock()
	defer t.grow.Unlock()
	var chunks []*[tableChunk]atomic.Pointer[epollSocket]
	if old := t.chunks.Load(); old != nil {
		chunks = append(chunks, *old...)
	}
	for fd/tableChunk >= len(chunks) {
		chunks = append(chunks, new([tableChunk]atomic.Pointer[epollSocket]))
	}
	t.chunks.Store(&chunks)
	return &chunks
}
