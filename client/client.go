package client

import (
	"context"
	"fmt"
	"sync"
	"time"

	"baton/client/wire"
)

// closeGrace is how long Close waits for the replies the server still owes,
// and how long a connection that was handed over may take to end.
const closeGrace = 2 * time.Second

// Client is one session that survives its connections. All methods are safe
// for concurrent use.
type Client struct {
	cfg    Config
	ctx    context.Context // ends the attempts to connect
	cancel context.CancelFunc
	owned  sync.WaitGroup // every goroutine of this client
	ready  chan struct{}  // closed when Session was told for the first time
	done   chan struct{}

	telling sync.Mutex // held while events are told, so that they keep their order; taken before mu

	mu         sync.Mutex
	ledger     ledger
	attempts   attempts
	backoff    wire.Backoff
	live       *link         // takes the messages; nil while there is none
	connecting bool          // one goroutine at most makes the next connection
	hurry      chan struct{} // ends the wait of a handover
	trying     uint64        // the attempt whose handshake is under way, 0 if none is
	fencedBy   uint64        // the attempt that took the session from the last connection, while it is under way
	lost       time.Time     // when a connection could take a message for the last time
	cause      error         // what ended it
	hadSession bool
	lastError  error         // of connecting, for Dial
	progress   chan struct{} // closed when the queue shrinks or the client ends; nil while nobody waits
	closing    bool
	err        error
}

// Dial opens a session and returns when the server has said what it counted.
// Until then it tries again as Config says; ctx bounds that, and nothing
// after it. Refusals that would repeat themselves (400, 401, 403, 404, 405,
// 426, no baton.v1) come back at once.
func Dial(ctx context.Context, config Config) (*Client, error) {
	cfg, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	c := newClient(cfg)
	c.mu.Lock()
	c.connect(0)
	c.mu.Unlock()
	select {
	case <-c.ready:
		return c, nil
	case <-c.done:
	case <-ctx.Done():
		c.finish(ErrClosed)
		err = ctx.Err()
	}
	c.owned.Wait()
	return nil, c.dialError(err)
}

func newClient(cfg Config) *Client {
	c := &Client{
		cfg:     cfg,
		ready:   make(chan struct{}),
		done:    make(chan struct{}),
		backoff: wire.Backoff{Min: cfg.BackoffMin, Max: cfg.BackoffMax},
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	if cfg.Resume != nil {
		c.ledger.restore(*cfg.Resume, time.Now())
		c.attempts.last = cfg.Resume.Attempt
	}
	return c
}

// Close ends the connection and waits for every goroutine of the client.
// Replies the server still owes are taken, for at most two seconds and until
// ctx ends; call Flush before it to lose nothing, or Snapshot after it to
// keep what is left.
func (c *Client) Close(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { c.finish(ErrClosed) })
	defer stop()
	c.mu.Lock()
	first := !c.over()
	c.closing = true
	live := c.live
	c.mu.Unlock()
	c.cancel()
	switch {
	case !first:
	case live == nil:
		c.finish(ErrClosed)
	default:
		live.conn.Bye(closeGrace)
	}
	<-c.done
	c.owned.Wait()
	return ctx.Err()
}

// Done is closed when the client has ended: by Close, by ErrTakenOver or by a
// refusal that would repeat itself.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err is nil until Done is closed, then the reason.
func (c *Client) Err() error {
	select {
	case <-c.done:
	default:
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// SessionID is the session's name, for a client that joins it later.
func (c *Client) SessionID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cfg.SessionID
}

// over tells whether the client ends or has ended; nothing is started any
// more then. It needs mu, as reason does.
func (c *Client) over() bool { return c.closing || c.err != nil }

func (c *Client) reason() error {
	if c.err != nil {
		return c.err
	}
	return ErrClosed
}

// finish ends the client for this reason, once. It must not be called while
// events are told.
func (c *Client) finish(reason error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = reason
	live := c.live
	c.live = nil
	c.announceProgress()
	c.mu.Unlock()
	c.cancel()
	if live != nil {
		live.conn.Abort()
	}
	c.telling.Lock()
	tell(c.cfg.Events.Closed, reason)
	c.telling.Unlock()
	close(c.done)
}

func (c *Client) dialError(ctxErr error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case ctxErr == nil:
		return c.err
	case c.lastError == nil:
		return fmt.Errorf("client: open a session: %w", ctxErr)
	}
	return fmt.Errorf("client: open a session: %w (last try: %w)", ctxErr, c.lastError)
}
