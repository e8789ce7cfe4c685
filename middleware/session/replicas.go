package session

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// replicaWait is a hook of the client: whatever pipeline carries a script is
// followed by one WAIT on the same connection, and unless so many replicas have
// everything then, nothing in it counts as stored. Each node of a Cluster has
// the hook, so that a batch costs one WAIT a node, where MOVED sends it too.
//
// The answers are the error of the commands: they are sent again, until their
// deadline.
type replicaWait struct{ replicas int }

// waitForReplicas has every pipeline of db wait.
func waitForReplicas(db redis.UniversalClient, replicas int) {
	hook := replicaWait{replicas}
	if cluster, ok := db.(*redis.ClusterClient); ok {
		cluster.OnNewNode(func(node *redis.Client) { node.AddHook(hook) })
		return
	}
	db.AddHook(hook)
}

func (replicaWait) DialHook(next redis.DialHook) redis.DialHook { return next }

func (replicaWait) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (w replicaWait) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if !slices.ContainsFunc(cmds, isScript) {
			return next(ctx, cmds)
		}
		wait := redis.NewIntCmd(ctx, "wait", w.replicas, patience(ctx).Milliseconds())
		err := next(ctx, append(slices.Clip(cmds), wait))
		have, failed := wait.Result()
		if failed == nil && have >= int64(w.replicas) {
			return err
		}
		missing := fmt.Errorf("session: %d of %d replicas have it", have, w.replicas)
		for _, cmd := range cmds {
			if cmd.Err() == nil {
				cmd.SetErr(missing)
			}
		}
		return missing
	}
}

func isScript(cmd redis.Cmder) bool { return cmd.Name() == "evalsha" || cmd.Name() == "eval" }

// patience is how long Redis may wait for its replicas: less than the caller
// waits for Redis, so that the answer is the number and not a broken connection.
func patience(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return minAttempt
	}
	return max(time.Until(deadline)*3/4, time.Millisecond)
}

// runClaim runs the claim's script; as a pipeline where replicas are waited for:
// the count that a claim answers must outlive the master as a reply's does.
func (s *Store) runClaim(ctx context.Context, keys []string, args ...any) ([]any, error) {
	if !s.waits {
		return s.claim.Run(ctx, s.db, keys, args...).Slice()
	}
	answer, err := s.pipeOne(ctx, func(pipe redis.Pipeliner) *redis.Cmd { return pipe.EvalSha(ctx, s.claim.Hash(), keys, args...) })
	if isNoScript(err) {
		answer, err = s.pipeOne(ctx, func(pipe redis.Pipeliner) *redis.Cmd { return s.claim.Eval(ctx, pipe, keys, args...) })
	}
	if err != nil {
		return nil, err
	}
	return answer.Slice()
}

func (s *Store) pipeOne(ctx context.Context, queue func(redis.Pipeliner) *redis.Cmd) (*redis.Cmd, error) {
	pipe := s.db.Pipeline()
	cmd := queue(pipe)
	_, _ = pipe.Exec(ctx) // the command has its error
	return cmd, cmd.Err()
}
