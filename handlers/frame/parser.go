// Package frame reads and writes the frames of RFC 6455 on byte slices: what a
// read brought is parsed in place, and only what a frame cannot do without is
// kept between reads. Payload is checked and passed on, never collected.
package frame

import (
	"encoding/binary"
	"unicode/utf8"
)

// Opcodes, RFC 6455 section 5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
)

// Close codes, RFC 6455 section 7.4.1 and those of Baton's contract.
const (
	CloseNormal        = 1000
	CloseGoingAway     = 1001
	CloseProtocolError = 1002
	CloseUnsupported   = 1003
	CloseNoStatus      = 1005 // never on the wire: a close frame without a code
	CloseAbnormal      = 1006 // never on the wire: the connection dropped
	CloseInvalidData   = 1007
	ClosePolicy        = 1008
	CloseTooBig        = 1009
	CloseTryAgain      = 1013
	CloseIdle          = 4000
	CloseElsewhere     = 4001
	CloseSlow          = 4002
)

// maxControl is the largest payload of a control frame, RFC 6455 section 5.5.
const maxControl = 125

const (
	finBit   = 0x80
	rsvBits  = 0x70
	maskBit  = 0x80
	length16 = 126
	length64 = 127
)

// Kind says what Next found.
type Kind uint8

// What Next can find.
const (
	NeedMore Kind = iota // the bytes are used up
	Part                 // Event.Payload is a piece of a message that goes on; where Parts asks for it
	Message              // one text message is complete and valid; Event.Payload is its last piece
	Ping                 // Event.Payload is to be sent back
	Pong
	Close     // Event.Code and Event.Payload (the reason)
	Violation // Event.Code says which; nothing after it may be read
)

// Event is what Next found. Payload is valid until the next call.
type Event struct {
	Kind    Kind
	Code    uint16
	Payload []byte
	Reason  string // of a Violation
}

// Parser keeps one connection's place between reads. The zero value is ready.
type Parser struct {
	control   []byte // a control frame's payload that is not whole yet
	remaining uint64 // payload bytes of the current frame still to come
	message   uint64 // payload bytes of the current message so far
	header    [14]byte
	headerLen uint8
	mask      uint32 // its first byte is the lowest
	maskPos   uint8
	opcode    uint8 // of the current frame
	fin       bool
	inFrame   bool
	inMessage bool // a text message has begun and has not ended
	Parts     bool // tell every piece of a message, for somebody who puts them together
	text      utf8State
}

// Next takes the next event out of data, masked payload being unmasked in
// place, and returns what is left of data. limit is the largest message in bytes.
func (p *Parser) Next(data []byte, limit int) (Event, []byte) {
	if text, rest, ok := p.shortText(data, limit); ok {
		return Event{Kind: Message, Payload: text}, rest
	}
	for {
		if !p.inFrame {
			ok, rest := p.readHeader(data)
			data = rest
			if !ok {
				return Event{}, nil
			}
			if v, bad := p.begin(limit); bad {
				return v, nil
			}
		}
		n := min(uint64(len(data)), p.remaining)
		chunk := data[:n]
		data = data[n:]
		p.maskPos, _ = unmask(chunk, p.mask, p.maskPos)
		p.remaining -= n
		event, found := p.payload(chunk)
		if found {
			return event, data
		}
		if p.inFrame { // the frame is not whole and data is used up
			return Event{}, nil
		}
	}
}

// shortText takes what nearly all messages are: text in one short frame that came
// whole. What is anything else, or bad, is left as it is for the long way.
func (p *Parser) shortText(data []byte, limit int) (text, rest []byte, ok bool) {
	const header = 2 + 4 // opcode and length, mask
	if len(data) < header || data[0] != finBit|opText || data[1] < maskBit || p.inFrame || p.inMessage || p.headerLen > 0 {
		return nil, nil, false
	}
	end := header + int(data[1]&^maskBit)
	if end >= header+length16 || end > len(data) || end > header+limit {
		return nil, nil, false
	}
	mask := binary.LittleEndian.Uint32(data[2:])
	text = data[header:end]
	if _, ascii := unmask(text, mask, 0); !ascii && !utf8.Valid(text) {
		unmask(text, mask, 0)
		return nil, nil, false
	}
	return text, data[end:], true
}

// readHeader gathers the header's bytes, over several reads where it must.
func (p *Parser) readHeader(data []byte) (bool, []byte) {
	for {
		need := headerSize(p.header[:p.headerLen])
		if int(p.headerLen) == need {
			return true, data
		}
		n := copy(p.header[p.headerLen:need], data)
		p.headerLen += uint8(n)
		data = data[n:]
		if int(p.headerLen) < need {
			return false, nil
		}
	}
}

// headerSize is how long the header is, as far as its first bytes tell.
func headerSize(h []byte) int {
	if len(h) < 2 {
		return 2
	}
	size := 2
	switch h[1] &^ maskBit {
	case length16:
		size += 2
	case length64:
		size += 8
	}
	if h[1]&maskBit != 0 {
		size += 4
	}
	return size
}

// begin judges a whole header and enters its frame.
func (p *Parser) begin(limit int) (Event, bool) {
	h := p.header[:p.headerLen]
	p.headerLen = 0
	p.fin, p.opcode = h[0]&finBit != 0, h[0]&^(finBit|rsvBits)
	if h[0]&rsvBits != 0 {
		return violation(CloseProtocolError, "reserved bit set")
	}
	if h[1]&maskBit == 0 {
		return violation(CloseProtocolError, "frame not masked")
	}
	length, minimal := payloadLength(h)
	if !minimal {
		return violation(CloseProtocolError, "frame length badly encoded")
	}
	if v, bad := p.judge(length, limit); bad {
		return v, true
	}
	p.mask = binary.LittleEndian.Uint32(h[len(h)-4:])
	p.maskPos, p.remaining, p.inFrame = 0, length, true
	return Event{}, false
}

// payloadLength decodes the length and tells whether it is in its minimal form.
func payloadLength(h []byte) (uint64, bool) {
	switch n := h[1] &^ maskBit; n {
	case length16:
		v := uint64(binary.BigEndian.Uint16(h[2:]))
		return v, v >= length16
	case length64:
		v := binary.BigEndian.Uint64(h[2:])
		return v, v > 0xFFFF && v < 1<<63
	default:
		return uint64(n), true
	}
}

// judge applies the rules of RFC 6455 section 5.4 and 5.5 to a frame's place.
func (p *Parser) judge(length uint64, limit int) (Event, bool) {
	switch p.opcode {
	case opClose, opPing, opPong:
		if !p.fin || length > maxControl {
			return violation(CloseProtocolError, "control frame fragmented or too long")
		}
		return Event{}, false
	case opContinuation:
		if !p.inMessage {
			return violation(CloseProtocolError, "continuation of nothing")
		}
	case opText, opBinary:
		if p.inMessage {
			return violation(CloseProtocolError, "message inside a fragmented message")
		}
		if p.opcode == opBinary {
			return violation(CloseUnsupported, "binary messages are not taken")
		}
		p.inMessage, p.message, p.text = true, 0, utf8State{}
	default:
		return violation(CloseProtocolError, "unknown opcode")
	}
	if length > uint64(limit)-p.message {
		return violation(CloseTooBig, "message too big")
	}
	p.message += length
	return Event{}, false
}

// payload takes an unmasked chunk of the current frame.
func (p *Parser) payload(chunk []byte) (Event, bool) {
	if p.opcode >= opClose {
		return p.controlPayload(chunk)
	}
	if !p.text.write(chunk) {
		return violation(CloseInvalidData, "text is not UTF-8")
	}
	p.inFrame = p.remaining > 0
	if p.inFrame || !p.fin {
		return Event{Kind: Part, Payload: chunk}, p.Parts && len(chunk) > 0
	}
	p.inMessage = false
	if !p.text.complete() {
		return violation(CloseInvalidData, "text is not UTF-8")
	}
	return Event{Kind: Message, Payload: chunk}, true
}

// controlPayload waits until a control frame is whole, copying only one that is split.
func (p *Parser) controlPayload(chunk []byte) (Event, bool) {
	if p.remaining > 0 {
		p.control = append(p.control, chunk...)
		return Event{}, false
	}
	if len(p.control) > 0 {
		chunk = append(p.control, chunk...)
		p.control = nil
	}
	p.inFrame = false
	switch p.opcode {
	case opPing:
		return Event{Kind: Ping, Payload: chunk}, true
	case opPong:
		return Event{Kind: Pong, Payload: chunk}, true
	default:
		return closeEvent(chunk)
	}
}

// closeEvent reads a close frame's body, RFC 6455 section 5.5.1 and 7.4.
func closeEvent(body []byte) (Event, bool) {
	if len(body) == 0 {
		return Event{Kind: Close, Code: CloseNoStatus}, true
	}
	if len(body) == 1 {
		return violation(CloseProtocolError, "close frame of one byte")
	}
	code := binary.BigEndian.Uint16(body)
	if !validCloseCode(code) {
		return violation(CloseProtocolError, "close code not allowed")
	}
	var reason utf8State
	if !reason.write(body[2:]) || !reason.complete() {
		return violation(CloseInvalidData, "close reason is not UTF-8")
	}
	return Event{Kind: Close, Code: code, Payload: body[2:]}, true
}

// validCloseCode tells the codes that a peer may send: the registered ones but
// for those that are never on the wire, and the library and private ranges.
func validCloseCode(code uint16) bool {
	switch {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014:
		return true
	default:
		return code >= 3000 && code <= 4999
	}
}

func violation(code uint16, reason string) (Event, bool) {
	return Event{Kind: Violation, Code: code, Reason: reason}, true
}
