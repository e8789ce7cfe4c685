package session

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"baton/middleware/redisurl"
)

// poolPerCPU is how many connections to Redis a core may hold: commits need a
// few, a storm of handshakes claims over the rest.
const poolPerCPU = 16

// dialTimeout bounds one attempt to connect to Redis.
const dialTimeout = time.Second

type dialer = func(ctx context.Context, network, addr string) (net.Conn, error)

// Connect makes the client of what url names: one Redis, the master that
// Sentinels name, or a Cluster. It does not wait for Redis; an error means the
// URL cannot be used. The client's own retries are off: a commit is sent again
// here, where its deadline is known, and must not be by a library that doesn't
// know it.
func Connect(url string, commitTimeout time.Duration) (redis.UniversalClient, error) {
	target, err := redisurl.Parse(url)
	if err != nil {
		return nil, fmt.Errorf("REDIS_URL %w", err)
	}
	switch {
	case target.Sentinel != nil:
		return connectSentinel(target.Sentinel, commitTimeout), nil
	case target.Cluster != nil:
		return connectCluster(target.Cluster, commitTimeout), nil
	default:
		return connectSingle(target.Single, commitTimeout), nil
	}
}

func connectSingle(options *redis.Options, commitTimeout time.Duration) *redis.Client {
	options.MaxRetries = -1
	options.DialerRetries = 1
	options.DialTimeout = min(dialTimeout, commitTimeout)
	options.Dialer = promptly(redis.NewDialer(options))
	options.ReadTimeout = attemptTimeout(commitTimeout)
	options.WriteTimeout = options.ReadTimeout
	options.ContextTimeoutEnabled = true
	options.PoolSize = poolPerCPU * runtime.GOMAXPROCS(0)
	options.PoolTimeout = commitTimeout
	options.DisableIdentity = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(options)
}
