package session

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// How a Cluster is followed.
const (
	// redirects is how often one try follows MOVED and ASK.
	redirects = 3
	// redirectPause is between two of them, at first and at most: a slot is where
	// the answer said at once, a fail-over takes longer than any try.
	firstRedirectPause = time.Millisecond
	lastRedirectPause  = 20 * time.Millisecond
	// topologyAge is how old the map of slots may be: a master that died without
	// a word, as a stopped machine does, sends nobody to its heir.
	topologyAge = time.Second
)

// connectCluster makes a client of a Cluster: a pipeline goes out as one for
// each master, at once, and what answers MOVED or ASK goes where it says. That
// sends a commit again, which is absolute, and a claim, which may be made again.
func connectCluster(options *redis.ClusterOptions, commitTimeout time.Duration) *redis.ClusterClient {
	options.MaxRetries = -1
	options.MaxRedirects = redirects
	options.MinRetryBackoff, options.MaxRetryBackoff = firstRedirectPause, lastRedirectPause
	options.ClusterStateReloadInterval = topologyAge
	options.DialerRetries = 1
	options.DialTimeout = min(dialTimeout, commitTimeout)
	options.ReadTimeout = attemptTimeout(commitTimeout)
	options.WriteTimeout = options.ReadTimeout
	options.ContextTimeoutEnabled = true
	options.PoolSize = poolPerCPU * runtime.GOMAXPROCS(0)
	options.PoolTimeout = commitTimeout
	options.DisableIdentity = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClusterClient(options)
}

var errClusterDown = errors.New("CLUSTERDOWN")

// pingCluster tells whether one of the masters, at least, serves: what one shard
// can't store for a while must not take the sessions of the others away.
func pingCluster(ctx context.Context, db *redis.ClusterClient) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var serves atomic.Bool
	err := db.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
		info, err := master.ClusterInfo(ctx).Result()
		if err != nil {
			return err
		}
		if !strings.Contains(info, "cluster_state:ok") {
			return errClusterDown
		}
		serves.Store(true)
		cancel()
		return nil
	})
	if serves.Load() {
		return nil
	}
	return err
}
