package clients

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"baton/tests/harness"
)

// Every message and close code that the document speaks of is got from a running server, and nothing else is.
func TestAsyncAPIHoldsForARunningServer(t *testing.T) {
	doc := open(t, "../../docs/asyncapi.yaml", jsonschema.Draft7)
	t.Run("sessions", func(t *testing.T) {
		for name, test := range map[string]func(*testing.T, *document){
			"counting": counting, "takeover": takeover, "drain": drain, "faults": faults, "idle": idle, "rate": rate, "slow": slow, "store lost": storeLost,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, doc)
			})
		}
	})
	if t.Failed() {
		return
	}
	var promised []string
	for _, channel := range names(doc.at(t, "channels")) {
		for _, message := range sent(t, doc, channel) {
			promised = append(promised, channel+" "+message)
		}
		for code := range doc.at(t, "channels", channel, "x-close-codes") {
			promised = append(promised, "close "+code)
		}
	}
	doc.complete(t, promised)
}

// The examples are as the schemas have them.
func TestAsyncAPIExamples(t *testing.T) {
	doc := open(t, "../../docs/asyncapi.yaml", jsonschema.Draft7)
	for name := range doc.at(t, "components", "messages") {
		examples, _ := doc.at(t, "components", "messages", name)["examples"].([]any)
		for _, example := range examples {
			payload := plain(t, example.(map[string]any)["payload"])
			if err := doc.fault(t, payload, "components", "messages", name, "payload"); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// sent are the messages that the server may send on a channel: those of its operations, and the replies.
func sent(t *testing.T, doc *document, channel string) (all []string) {
	t.Helper()
	for _, name := range names(doc.at(t, "operations")) {
		operation := doc.at(t, "operations", name)
		if reply, ok := operation["reply"].(map[string]any); ok {
			operation = reply
		} else if operation["action"] != "send" {
			continue
		}
		prefix := "#/channels/" + channel + "/messages/"
		for _, message := range operation["messages"].([]any) {
			if name, ok := strings.CutPrefix(message.(map[string]any)["$ref"].(string), prefix); ok {
				all = append(all, name)
			}
		}
	}
	return all
}

// listener reads what the server says on one connection and holds it against the document.
type listener struct {
	*harness.Peer
	t       *testing.T
	doc     *document
	channel string
	count   int // of the last reply or session message
	code    int // of the close frame
}

func listen(t *testing.T, doc *document, s *harness.Server, h harness.Handshake) *listener {
	t.Helper()
	channel := "plain"
	if h.Sub == harness.V1 {
		channel = "batonV1"
	}
	return &listener{Peer: s.Dial(h), t: t, doc: doc, channel: channel}
}

// until listens to a message of this name, or to a close.
func (l *listener) until(message string) {
	l.t.Helper()
	for name := ""; name != message && l.code == 0; {
		name = l.next()
	}
}

// counted listens until the server has counted n messages.
func (l *listener) counted(n int) {
	l.t.Helper()
	for l.count < n && l.code == 0 {
		l.next()
	}
	if l.count != n {
		l.t.Fatalf("%d are counted, want %d; closed %d", l.count, n, l.code)
	}
}

// closed listens until the server closes with this code.
func (l *listener) closed(code int) {
	l.t.Helper()
	for l.code == 0 {
		l.next()
	}
	if l.code != code {
		l.t.Errorf("closed %d, want %d", l.code, code)
	}
}

func (l *listener) next() (message string) {
	l.t.Helper()
	frame := l.Next()
	switch frame.Op {
	case harness.OpText:
		return l.told(string(frame.Payload))
	case harness.OpClose:
		l.code = frame.Code()
		l.saysWhy(frame)
	}
	return ""
}

func (l *listener) told(text string) (message string) {
	l.t.Helper()
	value := decode(l.t, text)
	var faults []error
	for _, name := range sent(l.t, l.doc, l.channel) {
		err := l.doc.fault(l.t, value, "channels", l.channel, "messages", name, "payload")
		if err != nil {
			faults = append(faults, err)
			continue
		}
		if message != "" {
			l.t.Errorf("%s is both %s and %s", text, message, name)
		}
		message = name
	}
	if message == "" {
		l.t.Fatalf("%s is no message of %s: %v", text, l.channel, faults)
	}
	l.doc.saw(l.channel + " " + message)
	if object, ok := value.(map[string]any); ok && object["count"] != nil {
		l.count, _ = strconv.Atoi(string(object["count"].(json.Number)))
	}
	return message
}

func (l *listener) saysWhy(frame harness.Frame) {
	l.t.Helper()
	documented, ok := l.doc.at(l.t, "channels", l.channel, "x-close-codes")[strconv.Itoa(frame.Code())].(map[string]any)
	if !ok {
		l.t.Errorf("%v is not documented", frame)
		return
	}
	if reason, ok := documented["reason"].(string); ok && reason != frame.Reason() {
		l.t.Errorf("%v, the document says %q", frame, reason)
	}
	l.doc.saw(fmt.Sprintf("close %d", frame.Code()))
}

func counting(t *testing.T, doc *document) {
	s := harness.Start(t, harness.Env{"HEARTBEAT_INTERVAL": "200ms", "SESSION_ID_FORMAT": "token"})
	for _, h := range []harness.Handshake{{}, {Session: session, Sub: harness.V1}, {Session: "a_token", Sub: harness.V1, Attempt: "1"}} {
		l := listen(t, doc, s, h)
		l.Say("one", "", "drei ✓")
		l.counted(3)
		l.Say(harness.Repeat("pipelined", 50)...)
		l.counted(53)
		l.until("heartbeat")
	}
}

func takeover(t *testing.T, doc *document) {
	s := harness.Start(t, nil)
	for _, sub := range []string{"", harness.V1} {
		name := map[string]string{"": "0e37df36-f698-4d1c-9f0e-0d8bde6b2f6b", harness.V1: session}[sub]
		first := listen(t, doc, s, harness.Handshake{Session: name, Sub: sub})
		first.Say("one")
		first.counted(1)
		second := listen(t, doc, s, harness.Handshake{Session: name, Sub: harness.V1})
		second.until("session")
		first.Say("fenced")
		first.closed(4001)
		second.Say("two")
		second.counted(2)
	}
}

func drain(t *testing.T, doc *document) {
	s := harness.Start(t, harness.Env{"DRAIN_SPREAD": "1s"})
	resuming, plain := listen(t, doc, s, harness.Handshake{Sub: harness.V1}), listen(t, doc, s, harness.Handshake{})
	resuming.until("session")
	plain.Silent()
	s.Terminate()
	resuming.until("reconnect")
	resuming.Say("still counted")
	resuming.counted(1)
	resuming.closed(1001)
	plain.closed(1001)
}

func faults(t *testing.T, doc *document) {
	s := harness.Start(t, harness.Env{"MAX_MESSAGE_BYTES": "16"})
	for code, frame := range map[int]harness.Frame{
		1002: {Op: harness.OpText, Unmasked: true, Payload: []byte("bare")},
		1003: {Op: harness.OpBinary, Payload: []byte{1}},
		1007: {Op: harness.OpText, Payload: []byte{0xff}},
		1009: harness.Text("more than sixteen"),
	} {
		for _, sub := range []string{"", harness.V1} {
			l := listen(t, doc, s, harness.Handshake{Sub: sub})
			l.Say("one")
			l.counted(1)
			l.Send(frame)
			l.closed(code)
		}
	}
}

func idle(t *testing.T, doc *document) {
	l := listen(t, doc, harness.Start(t, harness.Env{"IDLE_TIMEOUT": "500ms"}), harness.Handshake{Sub: harness.V1})
	l.closed(4000)
}

func rate(t *testing.T, doc *document) {
	l := listen(t, doc, harness.Start(t, harness.Env{"MESSAGE_RATE": "5"}), harness.Handshake{})
	l.Say(harness.Repeat("m", 100)...)
	l.closed(1008)
}

// A peer that reads nothing does not see its close frame either, so the server's own count of it has to do.
func slow(t *testing.T, doc *document) {
	s := harness.Start(t, nil)
	l := listen(t, doc, s, harness.Handshake{})
	flood := harness.Text("").Encode(nil)
	for range 10 { // 1,024 of them
		flood = append(flood, flood...)
	}
	_ = l.SetWriteDeadline(time.Now().Add(3 * patience))
	for {
		if _, err := l.Write(flood); err != nil {
			break
		}
	}
	s.WaitMetric(1, "websocket_closes_total", "code", "4002")
	doc.saw("close 4002")
}

func storeLost(t *testing.T, doc *document) {
	addr := fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))
	store := harness.Run(t, harness.Command{Path: harness.Binary(t), Args: []string{"store", "--listen", addr}})
	s := harness.Start(t, harness.Env{"REDIS_URL": "redis://" + addr, "COMMIT_TIMEOUT": "500ms"})
	l := listen(t, doc, s, harness.Handshake{Sub: harness.V1})
	l.Say("one")
	l.counted(1)
	store.Kill()
	l.Say("never counted")
	l.closed(1013)
}
