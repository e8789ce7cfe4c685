package harness

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Opcodes of RFC 6455, section 5.2.
const (
	OpContinuation = 0x0
	OpText         = 0x1
	OpBinary       = 0x2
	OpClose        = 0x8
	OpPing         = 0x9
	OpPong         = 0xA
)

const (
	finBit     = 0x80
	maskBit    = 0x80
	short      = 126 // length code: two bytes follow
	long       = 127 // length code: eight bytes follow
	maxPayload = 16 << 20
)

// Frame is a frame as it is on the wire, right or wrong.
type Frame struct {
	NotFin   bool // more fragments follow
	RSV      byte // the three reserved bits, 0 to 7
	Op       byte
	Unmasked bool
	Payload  []byte
	Length   uint64 // claimed instead of the payload's own, when it is not 0
}

// Text is a whole text message.
func Text(s string) Frame { return Frame{Op: OpText, Payload: []byte(s)} }

// Close is a close frame with a code and a reason.
func Close(code uint16, reason string) Frame {
	return Frame{Op: OpClose, Payload: append(binary.BigEndian.AppendUint16(nil, code), reason...)}
}

// Code is a close frame's code: 1005 without one, as RFC 6455 has it.
func (f Frame) Code() int {
	if len(f.Payload) < 2 {
		return 1005
	}
	return int(binary.BigEndian.Uint16(f.Payload))
}

// Reason is a close frame's reason.
func (f Frame) Reason() string {
	if len(f.Payload) < 2 {
		return ""
	}
	return string(f.Payload[2:])
}

func (f Frame) String() string {
	if f.Op == OpClose {
		return fmt.Sprintf("close %d %q", f.Code(), f.Reason())
	}
	return fmt.Sprintf("opcode %#x fin=%v rsv=%d %.200q", f.Op, !f.NotFin, f.RSV, f.Payload)
}

// Encode appends the frame's bytes.
func (f Frame) Encode(to []byte) []byte {
	first := f.Op&0xF | f.RSV<<4
	if !f.NotFin {
		first |= finBit
	}
	length := uint64(len(f.Payload))
	if f.Length != 0 {
		length = f.Length
	}
	to = appendLength(append(to, first), length, !f.Unmasked)
	if f.Unmasked {
		return append(to, f.Payload...)
	}
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	to = append(to, key[:]...)
	for i, b := range f.Payload {
		to = append(to, b^key[i%4])
	}
	return to
}

func appendLength(to []byte, length uint64, masked bool) []byte {
	var mask byte
	if masked {
		mask = maskBit
	}
	switch {
	case length < short:
		return append(to, mask|byte(length))
	case length < 1<<16:
		return binary.BigEndian.AppendUint16(append(to, mask|short), uint16(length))
	default:
		return binary.BigEndian.AppendUint64(append(to, mask|long), length)
	}
}

// ReadFrame reads a server's frame, which must not be masked.
func ReadFrame(r io.Reader) (Frame, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return Frame{}, err
	}
	frame := Frame{NotFin: head[0]&finBit == 0, RSV: head[0] >> 4 & 7, Op: head[0] & 0xF, Unmasked: true}
	if head[1]&maskBit != 0 {
		return frame, fmt.Errorf("the server masked a frame: % x", head)
	}
	length, err := readLength(r, head[1])
	if err != nil {
		return frame, err
	}
	if length > maxPayload {
		return frame, fmt.Errorf("a frame of %d bytes", length)
	}
	frame.Payload = make([]byte, length)
	_, err = io.ReadFull(r, frame.Payload)
	return frame, err
}

func readLength(r io.Reader, code byte) (uint64, error) {
	var wide [8]byte
	switch code {
	case short:
		_, err := io.ReadFull(r, wide[6:])
		return binary.BigEndian.Uint64(wide[:]), err
	case long:
		_, err := io.ReadFull(r, wide[:])
		return binary.BigEndian.Uint64(wide[:]), err
	}
	return uint64(code), nil
}
