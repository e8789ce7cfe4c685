package channel

import "errors"

var errEnvelope = errors.New("channel: not a message")

// encode is the message between processes: its kind, the length of the name, a
// byte each, the name, the text.
func (m Message) encode() []byte {
	b := make([]byte, 0, 2+len(m.Name)+len(m.Text))
	b = append(b, byte(m.To), byte(len(m.Name)))
	b = append(b, m.Name...)
	return append(b, m.Text...)
}

// decode trusts nothing: anybody who reaches Redis can publish.
func decode(s string) (Message, error) {
	if len(s) < 2 || len(s) < 2+int(s[1]) {
		return Message{}, errEnvelope
	}
	at := 2 + int(s[1])
	m := Message{To: Kind(s[0]), Name: s[2:at], Text: []byte(s[at:])}
	if m.To != All && m.To != Group && m.To != Session {
		return Message{}, errEnvelope
	}
	return m, Check(m.Text)
}
