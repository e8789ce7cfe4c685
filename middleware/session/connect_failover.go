package session

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/redis/go-redis/v9"
)

// connectSentinel makes a client of the master that the Sentinels name. It drops
// its connections when they name another one, and each connection that answers
// READONLY; the next one is dialled where the Sentinels then say.
func connectSentinel(options *redis.FailoverOptions, commitTimeout time.Duration) *redis.Client {
	options.MaxRetries = -1
	options.DialerRetries = 1
	options.DialTimeout = min(dialTimeout, commitTimeout)
	options.Dialer = promptly(redis.NewDialer(&redis.Options{DialTimeout: options.DialTimeout, TLSConfig: options.TLSConfig}))
	options.ReadTimeout = attemptTimeout(commitTimeout)
	options.WriteTimeout = options.ReadTimeout
	options.ContextTimeoutEnabled = true
	options.PoolSize = poolPerCPU * runtime.GOMAXPROCS(0)
	options.PoolTimeout = commitTimeout
	options.DisableIdentity = true
	options.OnConnect = refuseReplica
	return redis.NewFailoverClient(options)
}

var errReplica = errors.New("READONLY the Sentinels named a replica")

// refuseReplica keeps a connection out of the pool that leads to a replica: a
// Sentinel that was away names the old master for a moment. A PING over what is
// in the pool then tells that there is a master. Sentinels are asked too.
func refuseReplica(ctx context.Context, conn *redis.Conn) error {
	role, err := conn.Do(ctx, "ROLE").Slice()
	if err != nil {
		return err
	}
	if len(role) == 0 || role[0] == "slave" {
		return errReplica
	}
	return nil
}
