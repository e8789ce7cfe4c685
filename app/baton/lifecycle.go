package baton

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"baton/handlers/transport"
	"baton/middleware/session"
	"baton/middleware/tracing"
)

// leastShutdown is how long requests and commits on their way may take when the
// drain has used all of DRAIN_TIMEOUT.
const leastShutdown = 50 * time.Millisecond

// cutError tells that DRAIN_TIMEOUT ended the drain.
type cutError struct{ connections int }

func (e *cutError) Error() string { return fmt.Sprintf("drain cut off: %d connections", e.connections) }

// Start brings the process up and returns when it listens. Redis need not be
// there: then the process is not ready, and keeps trying.
func (a *App) Start(ctx context.Context) error {
	if err := a.openStore(); err != nil {
		return err
	}
	if err := a.openTracing(ctx); err != nil {
		return err
	}
	a.hub = a.newHub(ctx)
	a.openChannel()
	core, err := transport.New(a.hub.RoundEnd)
	if err != nil {
		return err
	}
	a.core = core
	a.fiber = a.newFiber()
	a.listener, err = transport.Listen(ctx, net.JoinHostPort(a.cfg.Host, strconv.Itoa(a.cfg.Port)))
	if err != nil {
		return err
	}
	go func() { a.failed <- a.fiber.Listener(a.listener) }()
	took := time.Since(a.began)
	a.metrics.Startup.Set(took.Seconds())
	a.log.Info("listening", "address", a.Address(), "version", version, "commit", commit,
		"embedded_store", a.embedded != nil, "startup_seconds", took.Seconds())
	return nil
}

func (a *App) openStore() error {
	url := a.cfg.RedisURL
	if url == "" {
		embedded, err := session.StartEmbedded("127.0.0.1:0")
		if err != nil {
			return err
		}
		a.embedded, url = embedded, embedded.URL()
		a.log.Warn("REDIS_URL is empty: sessions live in this process and end with it")
	}
	db, err := session.Connect(url, a.cfg.CommitTimeout)
	if err != nil {
		return err
	}
	a.db = db
	a.store = session.NewStore(db, session.StoreConfig{
		TTL: a.cfg.SessionTTL, CommitTimeout: a.cfg.CommitTimeout, WaitReplicas: a.cfg.WaitReplicas,
	})
	return nil
}

func (a *App) openTracing(ctx context.Context) error {
	c := a.cfg.Tracing
	if c.Endpoint == "" || c.Disabled {
		return nil
	}
	var err error
	a.tracing, err = tracing.New(ctx, tracing.Config{
		Endpoint: c.Endpoint, Headers: c.Headers, Sampler: c.Sampler, Ratio: c.Ratio, Service: c.Service,
		Version: version, Instance: a.id.Instance, Color: a.id.Color, Log: a.log,
	})
	return err
}

// Address is where the process listens.
func (a *App) Address() string { return a.listener.Addr().String() }

// Failed tells that the HTTP server ended by itself.
func (a *App) Failed() <-chan error { return a.failed }

// Stop drains and brings everything down, within DRAIN_TIMEOUT and what the
// last requests take. A *cutError tells that connections had to be cut. Calling
// it again tells the same.
func (a *App) Stop() error {
	a.stopOnce.Do(func() { a.stopErr = a.stop() })
	return a.stopErr
}

func (a *App) stop() error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), a.cfg.DrainTimeout)
	defer cancel()
	var errs []error
	drained := a.tracing.Drain(a.hub.Live())
	cut := a.hub.Drain(ctx)
	drained(cut)
	if cut > 0 {
		a.log.Warn("drain cut off by DRAIN_TIMEOUT", "connections", cut)
		errs = append(errs, &cutError{cut})
	}
	err := a.fiber.ShutdownWithTimeout(remaining(ctx))
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		errs = append(errs, fmt.Errorf("http shutdown: %w", err))
	}
	a.hub.Stop()
	errs = append(errs, a.settle(remaining(ctx)))
	a.closeChannel(ctx)
	errs = append(errs, a.closeStore())
	a.tracing.Stop(remaining(ctx))
	a.core.Close()
	if a.embedded != nil {
		a.embedded.Close()
	}
	a.log.Info("stopped", "shutdown_seconds", time.Since(began).Seconds())
	return errors.Join(errs...)
}

// settle lets the last commits through. It ends the connections to Redis where
// that takes too long, which fails those that are still unanswered by then.
func (a *App) settle(patience time.Duration) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, c := range a.committers {
			c.Close()
		}
	}()
	select {
	case <-done:
		return nil
	case <-time.After(patience):
		err := a.closeStore()
		<-done
		return err
	}
}

// closeChannel lets the handler finish, and what it sent leave.
func (a *App) closeChannel(drain context.Context) {
	ctx, cancel := context.WithTimeout(context.Background(), remaining(drain))
	defer cancel()
	if n := a.hub.FinishCalls(ctx); n > 0 {
		a.log.Warn("the handler was left at work: it has not returned in time", "connections", n)
	}
	if a.channel != nil {
		a.channel.Close()
	}
}

func (a *App) closeStore() error {
	if err := a.store.Close(); !errors.Is(err, redis.ErrClosed) {
		return err
	}
	return nil // by settle
}

// remaining is what is left of the drain's time.
func remaining(ctx context.Context) time.Duration {
	deadline, _ := ctx.Deadline()
	return max(time.Until(deadline), leastShutdown)
}
