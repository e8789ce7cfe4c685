package frame

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// unmask XORs b with the mask from its position pos on and returns the new
// position, RFC 6455 section 5.3, and whether all of b is ASCII now.
func unmask(b []byte, mask uint32, pos uint8) (end uint8, ascii bool) {
	end = uint8((int(pos) + len(b)) & 3)
	mask = bits.RotateLeft32(mask, -8*int(pos)) // the byte whose turn it is comes first
	wide := uint64(mask)<<32 | uint64(mask)
	var all uint64 // the bits that any byte has
	for ; len(b) >= 8; b = b[8:] {
		eight := binary.LittleEndian.Uint64(b) ^ wide
		binary.LittleEndian.PutUint64(b, eight)
		all |= eight
	}
	if len(b) >= 4 {
		four := binary.LittleEndian.Uint32(b) ^ mask
		binary.LittleEndian.PutUint32(b, four)
		all |= uint64(four)
		b = b[4:]
	}
	for i := range b {
		b[i] ^= byte(mask >> (8 * i))
		all |= uint64(b[i])
	}
	return end, all&notASCII == 0
}

// notASCII are the bits that no byte of ASCII has.
const notASCII = 0x8080808080808080

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
