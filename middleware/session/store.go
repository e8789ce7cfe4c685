package session

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	storage "github.com/gofiber/storage/redis/v3"
	"github.com/redis/go-redis/v9"
)

// Errors that a claim can end with; anything else means the store did not answer.
var (
	ErrStaleAttempt = errors.New("session: a newer attempt holds the session")
	ErrUnavailable  = errors.New("session: store unavailable")
)

// Store keeps sessions in Redis.
type Store struct {
	storage *storage.Storage
	db      redis.UniversalClient
	claim   *redis.Script
	commit  *redis.Script
	ttl     string // in ms, as the scripts take it
	timeout time.Duration
	attempt time.Duration
	waits   bool // for replicas
	// perScript is how many commits one call of the script carries: in a Cluster one, since a script's keys must be of one slot.
	perScript int
}

// maxPerScript keeps what Redis does at one go under half a millisecond: others wait meanwhile.
const maxPerScript = 128

// StoreConfig is what a Store needs to know.
type StoreConfig struct {
	TTL           time.Duration
	CommitTimeout time.Duration // longest wait for Redis, all attempts together
	WaitReplicas  int           // how many replicas must have what is answered; 0: none
}

// NewStore wraps a connection made by Connect.
func NewStore(db redis.UniversalClient, config StoreConfig) *Store {
	if config.WaitReplicas > 0 {
		waitForReplicas(db, config.WaitReplicas)
	}
	s := storage.NewFromConnection(db)
	perScript := maxPerScript
	if _, cluster := db.(*redis.ClusterClient); cluster {
		perScript = 1
	}
	return &Store{
		storage:   s,
		db:        s.Conn(),
		claim:     claimScript(),
		commit:    commitScript(),
		ttl:       strconv.FormatInt(config.TTL.Milliseconds(), 10),
		timeout:   config.CommitTimeout,
		attempt:   attemptTimeout(config.CommitTimeout),
		perScript: perScript,
		waits:     config.WaitReplicas > 0,
	}
}

// Bounds of one try within CommitTimeout: long enough for a busy Redis, short
// enough that a dead connection leaves time for another.
const (
	minAttempt = 100 * time.Millisecond
	maxAttempt = 2 * time.Second
	// retryPause grows from its first to its last value while Redis is away.
	firstRetryPause = 5 * time.Millisecond
	lastRetryPause  = 100 * time.Millisecond
)

func attemptTimeout(total time.Duration) time.Duration {
	return min(max(total/4, minAttempt), maxAttempt)
}

// Close ends the connection to Redis.
func (s *Store) Close() error { return s.storage.Close() }

// Ping tells whether Redis answers and would take a write, as far as PING tells.
func (s *Store) Ping(ctx context.Context) error {
	if cluster, ok := s.db.(*redis.ClusterClient); ok {
		return pingCluster(ctx, cluster)
	}
	return s.db.Ping(ctx).Err()
}

// Owner is a connection's claim on a session: what every commit carries.
type Owner struct {
	Session string
	Token   string // fencing token, unique to the connection
	Attempt string // newest attempt known, decimal; empty: none was ever given
}

// State is what a claim learns.
type State struct {
	Count   uint64
	Existed bool
	Attempt string // to be carried by the commits
}

// Claim makes owner the one connection that may count, for a wait of
// CommitTimeout at most. The same claim may be made again.
func (s *Store) Claim(ctx context.Context, owner Owner) (State, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	var last error
	for pause := firstRetryPause; ; pause = min(2*pause, lastRetryPause) {
		state, err := s.tryClaim(ctx, owner)
		if err == nil || errors.Is(err, ErrStaleAttempt) {
			return state, err
		}
		last = err
		select {
		case <-ctx.Done():
			return State{}, fmt.Errorf("%w: claim: %w", ErrUnavailable, last)
		case <-time.After(pause):
		}
	}
}

func (s *Store) tryClaim(ctx context.Context, owner Owner) (State, error) {
	ctx, cancel := context.WithTimeout(ctx, s.attempt)
	defer cancel()
	reply, err := s.runClaim(ctx, []string{key(owner.Session)}, owner.Token, owner.Attempt, s.ttl)
	if err != nil {
		return State{}, err
	}
	return claimed(reply)
}

// claimed reads the script's reply. Anything but a whole count is an error:
// never count from 0 because Redis could not be read.
func claimed(reply []any) (State, error) {
	if len(reply) == 1 {
		return State{}, ErrStaleAttempt
	}
	if len(reply) != 3 {
		return State{}, fmt.Errorf("session: claim answered %d values", len(reply))
	}
	text, _ := reply[0].(string)
	count, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return State{}, fmt.Errorf("session: stored count: %w", err)
	}
	existed, _ := reply[1].(int64)
	attempt, _ := reply[2].(string)
	return State{Count: count, Existed: existed == 1, Attempt: attempt}, nil
}

// key names a session's hash; the braces keep all of it in one cluster slot.
func key(id string) string { return "session:{" + id + "}" }

// isNoScript tells that Redis does not know a script, as after its restart or a
// fail-over.
func isNoScript(err error) bool {
	return err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT")
}
