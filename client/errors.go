package client

import (
	"errors"
	"net/http"
	"unicode/utf8"

	"baton/client/wire"
)

var (
	// ErrClosed: Close was called.
	ErrClosed = errors.New("client: closed")
	// ErrQueueFull: as many messages as Config.QueueSize wait for their
	// acknowledgement.
	ErrQueueFull = errors.New("client: queue full")
	// ErrNotText: a message is not UTF-8, which a server must not accept.
	ErrNotText = errors.New("client: message is not UTF-8")
	// ErrTakenOver: another client resumed the session (close 4001). This one
	// has stopped, and connecting again would only take it back.
	ErrTakenOver = errors.New("client: session resumed elsewhere")
	// ErrStaleAttempt: the server has seen a higher attempt of this session
	// and stayed with it through all tries (409).
	ErrStaleAttempt = errors.New("client: attempt refused as stale")
	// ErrNotBaton: the server does not speak baton.v1.
	ErrNotBaton = wire.ErrNotBaton
)

// RefusedError is a handshake that got an HTTP answer other than 101.
type RefusedError = wire.RefusedError

// Close codes that decide what a client does next; every other one means
// resume.
const (
	closeProtocol    = 1002
	closeUnsupported = 1003
	closeNotUTF8     = 1007
	closeTooBig      = 1009
	closeAbnormal    = 1006 // never sent: a cut
	closeTakenOver   = 4001
)

// hopeless tells whether a refused handshake would be refused again however
// often it is tried. A proxy without a route says 404, and may have one in a
// second, so that is final only where nothing has worked yet.
func hopeless(err error, hadSession bool) bool {
	if errors.Is(err, wire.ErrNotBaton) {
		return !hadSession
	}
	var refused *RefusedError
	if !errors.As(err, &refused) {
		return false
	}
	switch refused.Status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusUpgradeRequired:
		return true
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return !hadSession
	}
	return false
}

func isStale(err error) bool {
	var refused *RefusedError
	return errors.As(err, &refused) && refused.Status == http.StatusConflict
}

// isUnsigned tells of a server that signs session ids and did not sign this one.
func isUnsigned(err error) bool {
	var refused *RefusedError
	return errors.As(err, &refused) && refused.Code == "session_token_invalid"
}

// rejects tells whether a close means that what this client sends is not
// wanted: sent again it would be refused again.
func rejects(code int) bool {
	return code == closeProtocol || code == closeUnsupported || code == closeNotUTF8 || code == closeTooBig
}

func checkText(text string) error {
	if !utf8.ValidString(text) {
		return ErrNotText
	}
	return nil
}
