package client

import (
	"crypto/rand"
	"fmt"
)

// newSessionID makes a UUIDv4 (RFC 9562, 5.4). The client names its session
// itself: an answer lost on the way then costs no session.
func newSessionID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails, see its documentation
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
