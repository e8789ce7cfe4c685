package frame

import (
	"encoding/binary"
	"unicode/utf8"
)

// unmask XORs b with the mask from its position pos on and returns the new
// position, RFC 6455 section 5.3.
func unmask(b []byte, mask [4]byte, pos uint8) uint8 {
	if len(b) == 0 {
		return pos
	}
	var key [8]byte
	for i := range key {
		key[i] = mask[(int(pos)+i)&3]
	}
	wide := binary.LittleEndian.Uint64(key[:])
	i := 0
	for ; i+8 <= len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], binary.LittleEndian.Uint64(b[i:])^wide)
	}
	for ; i < len(b); i++ {
		b[i] ^= key[i&7]
	}
	return uint8((int(pos) + len(b)) & 3)
}

// utf8State validates text that comes in chunks: what a chunk's end cuts off is
// kept, at most three bytes.
type utf8State struct {
	tail [utf8.UTFMax]byte
	n    uint8
}

// write takes the next chunk; false: no text that begins so is UTF-8.
func (s *utf8State) write(b []byte) bool {
	for s.n > 0 && len(b) > 0 {
		s.tail[s.n] = b[0]
		s.n++
		b = b[1:]
		switch head := s.tail[:s.n]; {
		case utf8.FullRune(head):
			if r, size := utf8.DecodeRune(head); r == utf8.RuneError && size <= 1 {
				return false
			}
			s.n = 0
		}
	}
	if utf8.Valid(b) {
		return true
	}
	return s.keepTail(b)
}

// keepTail accepts b when only its last, unfinished rune keeps it from being valid.
func (s *utf8State) keepTail(b []byte) bool {
	for cut := 1; cut < utf8.UTFMax && cut <= len(b); cut++ {
		tail := b[len(b)-cut:]
		if utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) || !utf8.Valid(b[:len(b)-cut]) {
				return false
			}
			s.n = uint8(copy(s.tail[:], tail))
			return true
		}
	}
	return false
}

// complete tells whether the text may end here.
func (s *utf8State) complete() bool { return s.n == 0 }
