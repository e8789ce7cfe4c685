package smoke

import (
	"context"
	"fmt"
	"time"

	"baton/client/wire"
)

// Close codes with which a held connection may end well: the color drains, or
// the next visit resumed the session.
const (
	closeGoingAway = 1001
	closeTakenOver = 4001
)

// hold keeps the connection open until the time is over, ctx ends, or the
// server has a good reason to close it.
func hold(ctx context.Context, conn *wire.Conn, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { conn.Bye(closeGrace) })
	defer stop()
	for {
		if _, err := conn.Read(); err != nil {
			return held(ctx, err)
		}
	}
}

func held(ctx context.Context, err error) error {
	code := wire.CloseCode(err)
	if ctx.Err() != nil || code == closeGoingAway || code == closeTakenOver {
		return nil //nolint:nilerr // the ends that were asked for
	}
	return fmt.Errorf("the held connection ended: %s", wire.Describe(err))
}
