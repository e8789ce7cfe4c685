package session

import (
	"context"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// Lanes of a Cluster: how many if it can't be asked, and at most.
const (
	defaultLanes = 3
	maxLanes     = 64
)

// Lanes is how many committers a Cluster should have, one for each master, and
// which one is a session's: a pipeline waits for the slowest of its answers, and
// sessions of one master must not wait for another that is away. 0: any will do.
//
// Slots are dealt out to lanes in equal ranges, as they are to masters: where
// they lie otherwise a lane has two masters, and is only slower when one is away.
func (s *Store) Lanes(ctx context.Context) (int, func(session string) int) {
	cluster, ok := s.db.(*redis.ClusterClient)
	if !ok {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.attempt)
	defer cancel()
	var masters atomic.Int64
	err := cluster.ForEachMaster(ctx, func(context.Context, *redis.Client) error {
		masters.Add(1)
		return nil
	})
	lanes := min(max(int(masters.Load()), 1), maxLanes)
	if err != nil {
		lanes = defaultLanes
	}
	return lanes, func(session string) int { return slot(session) * lanes / slots }
}

// slots is how many a Cluster has.
const slots = 1 << 14

// slot is a session's place in a Cluster, as its specification has it: CRC-16
// (XMODEM) of what the key has in braces.
func slot(session string) int {
	var crc uint16
	for _, b := range []byte(session) {
		crc ^= uint16(b) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc) % slots
}
