package channel

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// topic is the one Redis channel: each process picks what is for its own
// connections.
const topic = "baton:channel"

const (
	maxWaiting  = 4 << 20 // bytes of messages that wait for Redis
	maxPipeline = 256     // messages sent at once
	sendTimeout = time.Second
	silence     = 5 * time.Second        // on the subscription, until it is pinged, and until it is given up
	resubscribe = 100 * time.Millisecond // until the next try
	perWaiting  = 64                     // bytes that an empty message counts for
)

// Redis is the channel between processes. Everything goes through Redis, this
// process's own messages too, so that all hear the same order. It has a queue
// and connections of its own: counting never waits for it.
type Redis struct {
	db       redis.UniversalClient
	deliver  func(Message)
	observer Observer
	log      *slog.Logger

	mu      sync.Mutex
	waiting [][]byte
	size    int // of waiting, bytes
	closed  bool
	wake    chan struct{}

	cancel context.CancelFunc
	sender sync.WaitGroup
	hearer sync.WaitGroup
}

// NewRedis starts to listen and to send; Redis need not be there yet. deliver is
// called from one goroutine.
func NewRedis(db redis.UniversalClient, deliver func(Message), observer Observer, log *slog.Logger) *Redis {
	ctx, cancel := context.WithCancel(context.Background())
	r := &Redis{db: db, deliver: deliver, observer: observer, log: log, wake: make(chan struct{}, 1), cancel: cancel}
	r.sender.Go(r.sendAll)
	r.hearer.Go(func() { r.hearAll(ctx) })
	return r
}

// Channel is where handlers send.
func (r *Redis) Channel() *Channel { return &Channel{r.publish} }

// Close sends what waits, each message with one try, and stops to listen.
func (r *Redis) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.signal()
	r.sender.Wait()
	r.cancel()
	r.hearer.Wait()
}

func (r *Redis) publish(m Message) error {
	encoded := m.encode()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.size+len(encoded)+perWaiting > maxWaiting {
		r.observer.Published(Dropped, 1)
		return ErrBusy
	}
	r.waiting = append(r.waiting, encoded)
	r.size += len(encoded) + perWaiting
	r.signal()
	return nil
}

func (r *Redis) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *Redis) sendAll() {
	for range r.wake {
		list, closed := r.take()
		for len(list) > 0 {
			n := min(len(list), maxPipeline)
			r.sendSome(list[:n])
			list = list[n:]
		}
		if closed {
			return
		}
	}
}

func (r *Redis) take() (list [][]byte, closed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list, r.waiting, r.size = r.waiting, nil, 0
	return list, r.closed
}

// sendSome tries once: nobody knows of a message without an answer whether it
// was sent, and nothing is to be heard twice.
func (r *Redis) sendSome(list [][]byte) {
	ctx, cancel := context.WithTimeout(context.Background(), sendTimeout)
	defer cancel()
	pipe := r.db.Pipeline()
	for _, encoded := range list {
		pipe.Publish(ctx, topic, encoded)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		r.observer.Published(Failed, len(list))
		r.log.Warn("channel: messages not sent", "messages", len(list), "error", err.Error())
		return
	}
	r.observer.Published(Sent, len(list))
}

// hearAll listens until ctx ends, again and again.
func (r *Redis) hearAll(ctx context.Context) {
	for ctx.Err() == nil {
		err := r.hear(ctx)
		r.observer.Subscribed(false)
		if ctx.Err() == nil {
			r.log.Warn("channel: not subscribed, what others send is not heard", "error", err.Error())
		}
		select {
		case <-ctx.Done():
		case <-time.After(resubscribe):
		}
	}
}

// hear listens on one subscription until it fails, or is silent in spite of a ping.
func (r *Redis) hear(ctx context.Context) error {
	subscription := r.db.Subscribe(ctx, topic)
	stop := context.AfterFunc(ctx, func() { _ = subscription.Close() }) // ends the read
	defer func() { stop(); _ = subscription.Close() }()
	pinged := false
	for {
		got, err := subscription.ReceiveTimeout(ctx, silence)
		var timeout net.Error
		switch {
		case err == nil:
			pinged = false
			r.heard(got)
		case !pinged && errors.As(err, &timeout) && timeout.Timeout():
			pinged = true
			if err := subscription.Ping(ctx); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

func (r *Redis) heard(got any) {
	switch got := got.(type) {
	case *redis.Subscription:
		r.observer.Subscribed(true)
		r.log.Info("channel: subscribed")
	case *redis.Message:
		m, err := decode(got.Payload)
		if err != nil {
			r.log.Warn("channel: a foreign message", "error", err.Error())
			return
		}
		r.observer.Heard()
		r.deliver(m)
	}
}
