// Package token signs session ids, so that an id alone, seen in a log or
// guessed, opens nothing.
package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
)

// purpose keeps a MAC made here from meaning anything where the key is used
// for something else.
const purpose = "baton session token v1\n"

var (
	// ErrInvalid tells of a token that none of the keys signed.
	ErrInvalid = errors.New("the session token is not valid")
	// ErrExpired tells of one that was signed, and is too old.
	ErrExpired = errors.New("the session token has expired")
)

// maxLength is that of the longest token there is: an id of 64, an expiry, a MAC.
// Anything longer is not worth a MAC over it.
const maxLength = 128

// Signer makes and opens tokens `<id>.<expiry>.<mac>`: the expiry in Unix
// seconds, base 36; the MAC HMAC-SHA-256 over both, base64url. A nil Signer
// leaves ids as they are. It is safe for concurrent use.
type Signer struct {
	keys     [][]byte
	lifetime time.Duration
}

// New signs with the first of the keys and takes what any of them signed. No
// keys: nil, tokens are off.
func New(keys []string, lifetime time.Duration) *Signer {
	if len(keys) == 0 {
		return nil
	}
	s := &Signer{lifetime: lifetime}
	for _, key := range keys {
		s.keys = append(s.keys, []byte(key))
	}
	return s
}

// Open returns the id that the token was signed for.
func (s *Signer) Open(token string, now time.Time) (id string, err error) {
	if s == nil {
		return token, nil
	}
	id, expires, _, err := s.open(token)
	if err == nil && !now.Before(expires) {
		err = ErrExpired
	}
	if err != nil {
		return "", err
	}
	return id, nil
}

// Renew returns what the client shall present for the id next time: the token
// it came with, while the first key signed it and half its life is left, else a
// new one.
func (s *Signer) Renew(id, token string, now time.Time) string {
	if s == nil {
		return id
	}
	if was, expires, key, err := s.open(token); err == nil && was == id && key == 0 && expires.Sub(now) > s.lifetime/2 {
		return token
	}
	signed := id + "." + strconv.FormatInt(now.Add(s.lifetime).Unix(), 36)
	return signed + "." + string(mac(s.keys[0], signed))
}

// open tells also which key signed.
func (s *Signer) open(token string) (id string, expires time.Time, key int, err error) {
	cut := strings.LastIndexByte(token, '.')
	if cut < 0 || len(token) > maxLength {
		return "", expires, 0, ErrInvalid
	}
	signed, given := token[:cut], []byte(token[cut+1:])
	key = -1
	for i := range s.keys { // every key, whichever signed: the time tells nothing
		if hmac.Equal(given, mac(s.keys[i], signed)) && key < 0 {
			key = i
		}
	}
	id, expiry, found := strings.Cut(signed, ".")
	seconds, err := strconv.ParseInt(expiry, 36, 64)
	if key < 0 || !found || err != nil {
		return "", expires, 0, ErrInvalid
	}
	return id, time.Unix(seconds, 0), key, nil
}

// mac is base64url. Tokens are compared in it: to decode what a client sent would
// take line breaks inside as well, and so more than one token for a signature.
func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(purpose))
	h.Write([]byte(text))
	return base64.RawURLEncoding.AppendEncode(nil, h.Sum(nil))
}
