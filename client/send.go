package client

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Send queues a message and returns its number among this client's messages,
// from 1 on. It waits for room in the queue; if ctx ends first, the error is
// ErrQueueFull and ctx's. The message is written as soon as there is a
// connection, and again if that one is lost before the server counted it.
func (c *Client) Send(ctx context.Context, text string) (seq uint64, err error) {
	for {
		c.mu.Lock()
		seq, err := c.push(text)
		if !errors.Is(err, ErrQueueFull) {
			c.mu.Unlock()
			return seq, err
		}
		room := c.awaitProgress()
		c.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return 0, fmt.Errorf("%w: %w", ErrQueueFull, ctx.Err())
		}
	}
}

// TrySend is Send that never waits: a full queue is ErrQueueFull.
func (c *Client) TrySend(text string) (seq uint64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.push(text)
}

// Flush waits until everything sent so far, and whatever is sent meanwhile,
// is acknowledged and told.
func (c *Client) Flush(ctx context.Context) error {
	for {
		c.mu.Lock()
		empty, over, err := len(c.ledger.pending) == 0, c.over(), c.reason()
		moved := c.awaitProgress()
		c.mu.Unlock()
		switch {
		case empty:
			c.telling.Lock() // the last Ack is being told
			c.telling.Unlock()
			return nil
		case over:
			return err
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("client: flush: %w", ctx.Err())
		}
	}
}

// push needs mu.
func (c *Client) push(text string) (uint64, error) {
	if err := checkText(text); err != nil {
		return 0, err
	}
	if c.over() {
		return 0, c.reason()
	}
	if len(c.ledger.pending) >= c.cfg.QueueSize {
		return 0, fmt.Errorf("%w (%d messages)", ErrQueueFull, c.cfg.QueueSize)
	}
	seq := c.ledger.push(text, time.Now())
	c.pump()
	return seq, nil
}

// awaitProgress is closed when the queue shrinks or the client ends. It needs
// mu, as announceProgress does.
func (c *Client) awaitProgress() <-chan struct{} {
	if c.progress == nil {
		c.progress = make(chan struct{})
	}
	return c.progress
}

func (c *Client) announceProgress() {
	if c.progress != nil {
		close(c.progress)
		c.progress = nil
	}
}
