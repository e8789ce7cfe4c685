package handlers

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"baton/middleware/admission"
	"baton/middleware/metrics"
	"baton/middleware/session"
)

// HubConfig is what the live connections of a process share.
type HubConfig struct {
	Color             string
	Instance          string
	HeartbeatInterval time.Duration
	IdleTimeout       time.Duration
	SessionTTL        time.Duration
	CommitTimeout     time.Duration
	DrainSpread       time.Duration
	DrainTimeout      time.Duration
	MaxMessageBytes   int
	MessageRate       int // a second and connection; 0: off
	Slots             *admission.Slots
	Lane              func(session string) int // which committer is a session's; nil: any
}

// Hub holds the live connections of the process: join, leave, heartbeat, drain.
// It runs four goroutines at most, however many connections there are.
type Hub struct {
	config  HubConfig
	metrics *metrics.Metrics
	log     *slog.Logger
	shards  []*shard
	buffers sync.Pool // of replies
	lists   sync.Pool // of connections
	began   time.Time
	grain   time.Duration // how exactly a session's time to live is kept

	handler   Handler
	receiver  Receiver // nil: it does not want to be told; so are the others
	opener    Opener
	closer    Closer
	calls     *calls
	directory *directory

	draining   atomic.Bool
	drainBegan atomic.Int64
	live       atomic.Int64  // connections
	arrived    atomic.Uint64 // connections so far
	stop       chan struct{}
	tickers    sync.WaitGroup
}

// shard is a part of the connections, with a lock and a committer of its own.
type shard struct {
	committer *session.Committer
	mu        sync.Mutex
	conns     []*conn
}

// NewHub keeps connections in as many shards as there are committers, and
// starts their heartbeat.
func NewHub(config HubConfig, committers []*session.Committer, m *metrics.Metrics, log *slog.Logger) *Hub {
	h := &Hub{
		config: config, metrics: m, log: log, began: time.Now(), stop: make(chan struct{}),
		grain:   min(config.SessionTTL/grainsPerTTL, maxGrain),
		handler: Counting{}, calls: newCalls(), directory: newDirectory(),
	}
	h.buffers.New = func() any { return new([]byte) }
	h.lists.New = func() any { return new([]*conn) }
	for _, committer := range committers {
		h.shards = append(h.shards, &shard{committer: committer})
	}
	h.tickers.Go(func() { h.every(config.HeartbeatInterval, h.heartbeat) })
	h.tickers.Go(func() { h.every(sweepInterval(config.IdleTimeout), h.sweeper()) })
	h.tickers.Go(func() { h.every(giveBackEvery, h.memoryGiver()) })
	if refresh := config.SessionTTL / refreshesPerTTL; refresh < config.HeartbeatInterval {
		h.tickers.Go(func() { h.every(refresh, func() { h.refresh(refresh) }) })
	}
	return h
}

// Handle sets the process's handler, Counting without it, before the first connection.
func (h *Hub) Handle(handler Handler) {
	h.handler = handler
	h.receiver, _ = handler.(Receiver)
	h.opener, _ = handler.(Opener)
	h.closer, _ = handler.(Closer)
}

// Live is how many connections there are.
func (h *Hub) Live() int64 { return h.live.Load() }

// Draining tells whether the process refuses new connections.
func (h *Hub) Draining() bool { return h.draining.Load() }

// join happens before the connection's first byte, with its lock held.
func (h *Hub) join(c *conn) {
	h.live.Add(1)
	h.arrived.Add(1)
	s := h.shardFor(c)
	c.shard = s
	s.mu.Lock()
	c.place = len(s.conns)
	s.conns = append(s.conns, c)
	s.mu.Unlock()
	h.metrics.Connections.Inc()
	if c.visitor.session.Resumed {
		h.metrics.Resumes.Inc()
	}
	h.log.Info("connected", append(c.attrs(), "count", c.count, "resumed", c.visitor.session.Resumed, "resumable", c.resumable)...)
}

func (h *Hub) shardFor(c *conn) *shard {
	if h.config.Lane != nil {
		return h.shards[h.config.Lane(c.visitor.session.Session)]
	}
	return h.shards[c.socket.Loop()%len(h.shards)]
}

// RoundEnd implements transport.RoundEnd: what the loop's connections want to commit
// goes to Redis together, or to several at the same time.
func (h *Hub) RoundEnd(loop int) {
	if h.config.Lane == nil {
		h.shards[loop%len(h.shards)].committer.Flush()
		return
	}
	for _, s := range h.shards {
		s.committer.HandOver()
	}
}

// leave is called once, with the connection's lock held.
func (h *Hub) leave(c *conn) {
	s := c.shard
	s.mu.Lock()
	last := len(s.conns) - 1
	s.conns[c.place] = s.conns[last]
	s.conns[c.place].place = c.place
	s.conns[last] = nil
	s.conns = s.conns[:last]
	s.mu.Unlock()
	if c.inbox != nil {
		h.directory.exit(&c.inbox.peer)
	}
	c.visitor.slot.Release()
	h.metrics.Closed(c.code)
	h.log.Info("disconnected", append(c.attrs(), "code", int(c.code), "count", c.count)...)
	h.live.Add(-1)
}

// each calls f for every connection, with the connection's lock held.
func (h *Hub) each(f func(*conn)) {
	for _, s := range h.shards {
		h.eachOf(s, f)
	}
}

// eachAtOnce is each, the shards at the same time: f must bear that.
func (h *Hub) eachAtOnce(f func(*conn)) {
	var others sync.WaitGroup
	for _, s := range h.shards[1:] {
		others.Go(func() { h.eachOf(s, f) })
	}
	h.eachOf(h.shards[0], f)
	others.Wait()
}

func (h *Hub) eachOf(s *shard, f func(*conn)) {
	list := h.lists.Get().(*[]*conn)
	*list = s.snapshot((*list)[:0])
	visit(*list, f)
	clear(*list)
	h.lists.Put(list)
}

func visit(conns []*conn, f func(*conn)) {
	for _, c := range conns {
		c.mu.Lock()
		f(c)
		c.mu.Unlock()
	}
}

// snapshot copies the list, so that no connection's lock is taken under the shard's.
func (s *shard) snapshot(into []*conn) []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append(into, s.conns...)
}

// now is the time since the hub's start, in nanoseconds, on the monotonic clock.
func (h *Hub) now() int64 { return int64(time.Since(h.began)) }

func (h *Hub) since(t int64) time.Duration { return time.Duration(h.now() - t) }

// deadline is when a commit whose first message was read at t has failed.
func (h *Hub) deadline(t int64) time.Time {
	return h.began.Add(time.Duration(t) + h.config.CommitTimeout)
}

// maxPooled is the largest buffer kept for the next replies, in bytes.
const maxPooled = 64 << 10

func (h *Hub) borrow() *[]byte {
	buffer := h.buffers.Get().(*[]byte)
	*buffer = (*buffer)[:0]
	return buffer
}

func (h *Hub) giveBack(buffer *[]byte) {
	if cap(*buffer) <= maxPooled {
		h.buffers.Put(buffer)
	}
}

// attrs identify the connection in a log line.
func (c *conn) attrs() []any {
	return []any{"session_id", session.ShortID(c.visitor.session.Session), "request_id", c.visitor.requestID, "remote", c.visitor.remote}
}
