package frame

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
)

const testLimit = 1 << 16

// masked builds a client's frame; first is the byte with FIN, RSV and opcode.
func masked(first byte, payload []byte) []byte {
	mask := [4]byte{0x12, 0x34, 0x56, 0x78}
	b := appendHeader(nil, 0, len(payload))
	b[0] = first
	b[1] |= maskBit
	b = append(b, mask[:]...)
	at := len(b)
	b = append(b, payload...)
	for i := range payload {
		b[at+i] ^= mask[i&3]
	}
	return b
}

func text(s string) []byte { return masked(0x81, []byte(s)) }

// feed parses data cut into pieces of the given size and returns all events.
func feed(data []byte, size, limit int) []Event {
	var p Parser
	var events []Event
	for len(data) > 0 {
		piece := bytes.Clone(data[:min(size, len(data))])
		data = data[len(piece):]
		for {
			var e Event
			e, piece = p.Next(piece, limit)
			if e.Kind == NeedMore {
				break
			}
			e.Payload = bytes.Clone(e.Payload)
			if e.Kind == Message {
				e.Payload = nil // the last piece, however the reads cut it: see texts
			}
			events = append(events, e)
			if e.Kind == Close || e.Kind == Violation { // nobody reads on
				return events
			}
		}
	}
	return events
}

func TestEventsDoNotDependOnHowReadsCutTheBytes(t *testing.T) {
	closeBody := append(binary.BigEndian.AppendUint16(nil, 4000), "bye"...)
	cases := map[string]struct {
		data []byte
		want []Event
	}{
		"text":            {text("hello"), []Event{{Kind: Message}}},
		"empty text":      {text(""), []Event{{Kind: Message}}},
		"two texts":       {append(text("a"), text("ü€😀")...), []Event{{Kind: Message}, {Kind: Message}}},
		"126 bytes":       {text(strings.Repeat("x", 126)), []Event{{Kind: Message}}},
		"65535 bytes":     {text(strings.Repeat("x", 65535)), []Event{{Kind: Message}}},
		"65536 bytes":     {text(strings.Repeat("x", 65536)), []Event{{Kind: Message}}},
		"too big":         {text(strings.Repeat("x", 65537)), []Event{{Kind: Violation, Code: CloseTooBig}}},
		"fragments":       {join(masked(0x01, []byte("a\xe2")), masked(0x89, []byte("p")), masked(0x80, []byte("\x82\xac"))), []Event{{Kind: Ping, Payload: []byte("p")}, {Kind: Message}}},
		"fragments big":   {join(masked(0x01, make([]byte, 40000)), masked(0x80, make([]byte, 40000))), []Event{{Kind: Violation, Code: CloseTooBig}}},
		"binary":          {masked(0x82, []byte("x")), []Event{{Kind: Violation, Code: CloseUnsupported}}},
		"binary fragment": {masked(0x02, []byte("x")), []Event{{Kind: Violation, Code: CloseUnsupported}}},
		"ping":            {masked(0x89, []byte("abc")), []Event{{Kind: Ping, Payload: []byte("abc")}}},
		"long ping":       {masked(0x89, make([]byte, 126)), []Event{{Kind: Violation, Code: CloseProtocolError}}},
		"split ping":      {masked(0x09, []byte("abc")), []Event{{Kind: Violation, Code: CloseProtocolError}}},
		"pong":            {masked(0x8A, nil), []Event{{Kind: Pong}}},
		"close":           {masked(0x88, closeBody), []Event{{Kind: Close, Code: 4000, Payload: []byte("bye")}}},
		"empty close":     {masked(0x88, nil), []Event{{Kind: Close, Code: CloseNoStatus}}},
		"close of 1 byte": {masked(0x88, []byte{3}), []Event{{Kind: Violation, Code: CloseProtocolError}}},
		"close 1005":      {masked(0x88, []byte{3, 0xED}), []Event{{Kind: Violation, Code: CloseProtocolError}}},
		"close not utf8":  {masked(0x88, []byte{3, 0xE8, 0xff}), []Event{{Kind: Violation, Code: CloseInvalidData}}},
		"rsv":             {masked(0xC1, nil), []Event{{Kind: Violation, Code: CloseProtocolError}}},
		"opcode 3":        {masked(0x83, nil), []Event{{Kind: Violation, Code: CloseProtocolError}}},
		"opcode 11":       {masked(0x8B, nil), []Event{{Kind: Violation, Code: CloseProtocolError}}},
		"unmasked":        {[]byte{0x81, 0x00}, []Event{{Kind: Violation, Code: CloseProtocolError}}},
		"continuation":    {masked(0x80, nil), []Event{{Kind: Violation, Code: CloseProtocolError}}},
		"text in text":    {join(masked(0x01, nil), text("x")), []Event{{Kind: Violation, Code: CloseProtocolError}}},
		"long length":     {[]byte{0x81, 0xFE, 0, 5, 0, 0, 0, 0}, []Event{{Kind: Violation, Code: CloseProtocolError}}},
		"longer length":   {[]byte{0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0}, []Event{{Kind: Violation, Code: CloseProtocolError}}},
		"negative length": {[]byte{0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, []Event{{Kind: Violation, Code: CloseProtocolError}}},
		"not utf8":        {text("a\xffb"), []Event{{Kind: Violation, Code: CloseInvalidData}}},
		"surrogate":       {text("\xed\xa0\x80"), []Event{{Kind: Violation, Code: CloseInvalidData}}},
		"cut rune":        {text("\xe2\x82"), []Event{{Kind: Violation, Code: CloseInvalidData}}},
		"cut over frames": {join(masked(0x01, []byte("\xe2\x82")), masked(0x80, nil)), []Event{{Kind: Violation, Code: CloseInvalidData}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1, 2, 3, 7, 1000, len(tc.data)} {
				assertEvents(t, feed(tc.data, size, testLimit), tc.want, size)
			}
		})
	}
}

func TestAByteThatIsNoTextIsFoundWhereverItStands(t *testing.T) {
	for length := 1; length <= 40; length++ {
		for at := range length {
			payload := bytes.Repeat([]byte("x"), length)
			payload[at] = 0xff
			want := []Event{{Kind: Violation, Code: CloseInvalidData}}
			assertEvents(t, feed(masked(0x81, payload), 1000, testLimit), want, length)
		}
	}
}

// texts puts the pieces of messages together, as somebody does who asks for them.
func texts(data []byte, size int) []string {
	p := Parser{Parts: true}
	var list []string
	var text []byte
	for len(data) > 0 {
		piece := bytes.Clone(data[:min(size, len(data))])
		data = data[len(piece):]
		for {
			var e Event
			e, piece = p.Next(piece, testLimit)
			if e.Kind == NeedMore {
				break
			}
			switch e.Kind {
			case Part:
				text = append(text, e.Payload...)
			case Message:
				list, text = append(list, string(append(text, e.Payload...))), nil
			case Close, Violation:
				return list
			}
		}
	}
	return list
}

func TestPiecesMakeTheMessage(t *testing.T) {
	data := join(text("whole"), masked(0x01, []byte("a\xe2")), masked(0x89, []byte("p")), masked(0x00, nil), masked(0x80, []byte("\x82\xac")), text(""), masked(0x01, []byte("end")), masked(0x80, nil))
	for size := 1; size <= len(data); size++ {
		if got := texts(data, size); !slices.Equal(got, []string{"whole", "a€", "", "end"}) {
			t.Errorf("reads of %d: %q", size, got)
		}
	}
}

func TestCloseCodes(t *testing.T) {
	for code, want := range map[uint16]bool{
		0: false, 999: false, 1000: true, 1003: true, 1004: false, 1005: false, 1006: false, 1007: true, 1011: true,
		1014: true, 1015: false, 1016: false, 2999: false, 3000: true, 4999: true, 5000: false, 65535: false,
	} {
		if got := validCloseCode(code); got != want {
			t.Errorf("validCloseCode(%d) = %v, want %v", code, got, want)
		}
	}
}

func assertEvents(t *testing.T, got, want []Event, size int) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("reads of %d: got %d events %v, want %d", size, len(got), got, len(want))
	}
	for i := range want {
		if got[i].Kind != want[i].Kind || got[i].Code != want[i].Code || !bytes.Equal(got[i].Payload, want[i].Payload) {
			t.Errorf("reads of %d, event %d: got %+v, want %+v", size, i, got[i], want[i])
		}
	}
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// FuzzParser holds two things against each other: the same bytes cut differently
// must tell the same, and messages must be those that fasthttp/websocket reads.
func FuzzParser(f *testing.F) {
	f.Add(text("hello"), uint8(1))
	f.Add(join(masked(0x01, []byte("a")), masked(0x89, []byte("p")), masked(0x80, []byte("b"))), uint8(3))
	f.Add(join(text("x"), masked(0x88, []byte{3, 0xE8})), uint8(2))
	f.Add([]byte{0x81, 0xFE, 0, 200, 1, 2, 3, 4}, uint8(5))
	f.Add(join(masked(0x88, nil), text("after the close")), uint8(45))
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		whole := feed(data, max(len(data), 1), testLimit)
		assertEvents(t, feed(data, int(size)+1, testLimit), whole, int(size)+1)
		if all := texts(data, len(data)+1); !slices.Equal(texts(data, int(size)+1), all) || len(all) != messages(whole) {
			t.Errorf("texts of reads of %d are %q, of one read %q", int(size)+1, texts(data, int(size)+1), all)
		}
		if ours, theirs := messages(whole), reference(t, data); ours > theirs {
			t.Errorf("counted %d messages, fasthttp/websocket reads %d", ours, theirs)
		}
	})
}

func TestAgreesWithTheReferenceOnGoodTraffic(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var data []byte
		for range random.IntN(20) {
			payload := []byte(strings.Repeat("ä", random.IntN(300)))
			switch random.IntN(3) {
			case 0:
				data = append(data, text(string(payload))...)
			case 1:
				data = append(data, masked(0x89, payload[:min(len(payload), 100)])...)
			default:
				cut := random.IntN(len(payload) + 1)
				data = append(data, join(masked(0x01, payload[:cut]), masked(0x8A, nil), masked(0x80, payload[cut:]))...)
			}
		}
		ours, theirs := messages(feed(data, 1+random.IntN(500), testLimit)), reference(t, data)
		if ours != theirs {
			t.Fatalf("counted %d messages, fasthttp/websocket reads %d", ours, theirs)
		}
	}
}

func messages(events []Event) (n int) {
	for _, e := range events {
		if e.Kind == Message {
			n++
		}
	}
	return n
}

// reference counts the text messages that fasthttp/websocket's server side reads.
func reference(t *testing.T, data []byte) (n int) {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	} {
		request.Header.Set(name, value)
	}
	peer := &oneWay{r: bytes.NewReader(data)}
	conn, err := new(websocket.Upgrader).Upgrade(peer, request, nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(testLimit)
	for {
		kind, _, err := conn.ReadMessage()
		if err != nil {
			return n
		}
		if kind == websocket.TextMessage {
			n++
		}
	}
}

// oneWay is a connection whose peer sends fixed bytes and hears nothing.
type oneWay struct {
	net.Conn
	http.ResponseWriter
	r io.Reader
}

func (o *oneWay) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return o, bufio.NewReadWriter(bufio.NewReader(o), bufio.NewWriter(o)), nil
}
func (o *oneWay) SetDeadline(time.Time) error      { return nil }
func (o *oneWay) Read(b []byte) (int, error)       { return o.r.Read(b) }
func (o *oneWay) Write(b []byte) (int, error)      { return len(b), nil }
func (o *oneWay) SetWriteDeadline(time.Time) error { return nil }
func (o *oneWay) SetReadDeadline(time.Time) error  { return nil }
func (o *oneWay) Close() error                     { return nil }

func BenchmarkParseSixteenFrames(b *testing.B) {
	data := bytes.Repeat(text("hello, world"), 16)
	work := make([]byte, len(data))
	var p Parser
	b.ReportAllocs()
	for b.Loop() {
		rest := work[:copy(work, data)]
		for {
			var e Event
			if e, rest = p.Next(rest, testLimit); e.Kind == NeedMore {
				break
			}
		}
	}
}
