package frame

import (
	"encoding/binary"
	"slices"
)

// AppendText appends an unfragmented, unmasked text frame.
func AppendText(dst, payload []byte) []byte {
	return append(appendHeader(dst, opText, len(payload)), payload...)
}

// BeginText and EndText frame what is appended between them as AppendText does,
// without a copy of it: EndText is told where BeginText began. Nothing between
// them is no frame.
func BeginText(dst []byte) []byte { return append(dst, finBit|opText, 0) }

// EndText is the end of what BeginText began at dst[at].
func EndText(dst []byte, at int) []byte {
	length := len(dst) - at - 2
	switch {
	case length == 0:
		return dst[:at]
	case length < length16:
		dst[at+1] = byte(length)
		return dst
	default:
		return slices.Replace(dst, at, at+2, appendHeader(nil, opText, length)...)
	}
}

// AppendPing appends a ping frame without payload.
func AppendPing(dst []byte) []byte { return appendHeader(dst, opPing, 0) }

// AppendPong appends the answer to a ping; payload is at most 125 bytes.
func AppendPong(dst, payload []byte) []byte {
	return append(appendHeader(dst, opPong, len(payload)), payload...)
}

// AppendClose appends a close frame; CloseNoStatus gives one without a body.
// A reason is cut to what a control frame holds.
func AppendClose(dst []byte, code uint16, reason string) []byte {
	if code == CloseNoStatus {
		return appendHeader(dst, opClose, 0)
	}
	reason = reason[:min(len(reason), maxControl-2)]
	dst = appendHeader(dst, opClose, 2+len(reason))
	dst = binary.BigEndian.AppendUint16(dst, code)
	return append(dst, reason...)
}

func appendHeader(dst []byte, opcode byte, length int) []byte {
	dst = append(dst, finBit|opcode)
	switch {
	case length < length16:
		return append(dst, byte(length))
	case length <= 0xFFFF:
		return binary.BigEndian.AppendUint16(append(dst, length16), uint16(length))
	default:
		return binary.BigEndian.AppendUint64(append(dst, length64), uint64(length))
	}
}
