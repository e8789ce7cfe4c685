package token

import (
	"errors"
	"strings"
	"testing"
	"time"
)

const (
	id   = "0e37df36-f698-4d1c-9f0e-0d8bde6b2f6a"
	keyA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	keyB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func TestATokenOpensUntilItExpires(t *testing.T) {
	s, now := New([]string{keyA}, time.Hour), time.Unix(1_800_000_000, 0)
	signed := s.Renew(id, "", now)
	if got, err := s.Open(signed, now.Add(time.Hour-time.Second)); got != id || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := s.Open(signed, now.Add(time.Hour)); !errors.Is(err, ErrExpired) {
		t.Errorf("at its end: %v", err)
	}
	if got := s.Renew(id, signed, now.Add(20*time.Minute)); got != signed {
		t.Error("a young token was replaced")
	}
	if got := s.Renew(id, signed, now.Add(40*time.Minute)); got == signed {
		t.Error("an old token was kept")
	}
	if got := s.Renew("another", signed, now); got == signed {
		t.Error("a token was handed on for another id")
	}
}

func TestKeysRotate(t *testing.T) {
	now := time.Now()
	old, both, young := New([]string{keyA}, time.Hour), New([]string{keyB, keyA}, time.Hour), New([]string{keyB}, time.Hour)
	signed := old.Renew(id, "", now)
	if got, err := both.Open(signed, now); got != id || err != nil {
		t.Fatalf("the former key: %q, %v", got, err)
	}
	renewed := both.Renew(id, signed, now)
	if got, err := young.Open(renewed, now); got != id || err != nil {
		t.Errorf("not signed anew by the first key: %q, %v", got, err)
	}
	if _, err := young.Open(signed, now); !errors.Is(err, ErrInvalid) {
		t.Errorf("a key that is gone: %v", err)
	}
}

func TestNoKeysLeaveIDsAlone(t *testing.T) {
	s := New(nil, time.Hour)
	if got, err := s.Open(id, time.Now()); s != nil || got != id || err != nil || s.Renew(id, id, time.Now()) != id {
		t.Errorf("got %q, %v", got, err)
	}
}

// FuzzOpen: nothing but what was signed opens, however close it is.
func FuzzOpen(f *testing.F) {
	s, now := New([]string{keyA, keyB}, time.Hour), time.Unix(1_800_000_000, 0)
	signed := s.Renew(id, "", now)
	f.Add(id)
	f.Add(signed[:len(signed)-1])
	f.Add(signed + "A")
	f.Add("1" + signed[1:])
	f.Add(strings.Replace(signed, ".", "..", 1))
	f.Add(strings.Replace(signed, ".", ".z", 1))
	f.Add(strings.ToUpper(signed))
	f.Add("..")
	f.Add(signed[:len(signed)-3] + "\r\n" + signed[len(signed)-3:])
	f.Fuzz(func(t *testing.T, token string) {
		if got, err := s.Open(token, now); err == nil && token != signed {
			t.Errorf("%q opened %q", token, got)
		}
	})
}
