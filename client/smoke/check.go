package smoke

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"baton/client/wire"
)

const before = 3 // messages before the resume

// uuidV4 is what the server names a session that the client did not name; signed, if it signs them.
const uuidV4 = `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}(\.[0-9a-z]+\.[A-Za-z0-9_-]{43})?$`

// Check runs one whole session against the server: a plain client opens it,
// sends three messages and closes; a baton.v1 client resumes it, and the
// fourth message has to count 4. An empty color takes any; header is added to
// each handshake.
func Check(ctx context.Context, url, color string, header http.Header, timeout time.Duration) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	session, err := open(ctx, url, header, timeout)
	if err != nil {
		return Result{SessionID: session}, fmt.Errorf("plain client: %w", err)
	}
	count := uint64(before)
	result, err := Visit{URL: url, Header: header, Session: session, Messages: 1, ExpectCount: &count, ExpectColor: color}.Run(ctx, timeout)
	if err != nil {
		return result, fmt.Errorf("resume: %w", err)
	}
	if !result.Resumed || result.SessionID != session {
		return result, fmt.Errorf("resume: asked for session %s, got %s (resumed: %v)", session, result.SessionID, result.Resumed)
	}
	return result, nil
}

// open is the part of a plain client, which lets the server name the session.
func open(ctx context.Context, url string, header http.Header, timeout time.Duration) (session string, err error) {
	dialer := &wire.Dialer{Header: header, HandshakeTimeout: timeout}
	conn, err := dialer.Plain(ctx, url, "")
	if err != nil {
		return "", fmt.Errorf("open %s: %w", url, err)
	}
	defer conn.Close(ctx, closeGrace)
	if !regexp.MustCompile(uuidV4).MatchString(conn.SessionID) {
		return conn.SessionID, fmt.Errorf("X-Session-Id %q is not a UUIDv4", conn.SessionID)
	}
	deadline, _ := ctx.Deadline()
	for n := range uint64(before) {
		if err := exchange(conn, n+1, deadline); err != nil {
			return conn.SessionID, err
		}
	}
	return conn.SessionID, nil
}
