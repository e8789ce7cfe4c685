package client

import "time"

// ledger is the baton.v1 rule without any socket: which messages wait, what
// number each has, which of them a count acknowledges and which have to be
// written again. It is not safe for concurrent use.
//
// pending[0] is message number count+1 of the session. The first `written`
// of them went to the live connection; the first `touched` went to some
// connection, so a server may have counted them.
type ledger struct {
	pending []message
	count   uint64 // acknowledged, in the session's numbering
	seq     uint64 // of the newest message, in this client's numbering
	written int
	touched int
	known   bool // count is known: there was a session message, or a snapshot
}

type message struct {
	text string
	seq  uint64
	at   time.Time
}

// push appends a message.
func (l *ledger) push(text string, now time.Time) uint64 {
	l.seq++
	l.pending = append(l.pending, message{text: text, seq: l.seq, at: now})
	return l.seq
}

// next is the oldest message that the live connection has not got yet. It
// counts as written from here on: a server may count it before the write is
// known to have worked.
func (l *ledger) next() (text string, ok bool) {
	if l.written >= len(l.pending) {
		return "", false
	}
	text = l.pending[l.written].text
	l.written++
	l.touched = max(l.touched, l.written)
	return text, true
}

// reply takes a count of the live connection. It acknowledges all up to it; a
// count that came before says nothing new. foreign is not nil if the count is
// higher than what this connection was given.
func (l *ledger) reply(count uint64) (acked []message, foreign *Foreign) {
	if count <= l.count {
		return nil, nil
	}
	return l.take(count, l.written)
}

// resume takes the count of a new connection's session message: what is
// counted is dropped, the rest is to be written to the new connection.
func (l *ledger) resume(count uint64) (acked []message, reset *Reset, foreign *Foreign) {
	l.written = 0
	if !l.known {
		l.known, l.count = true, count
		return nil, nil, nil
	}
	if count < l.count {
		reset = &Reset{Acknowledged: l.count, Count: count}
		l.count = count
		return nil, reset, nil
	}
	acked, foreign = l.take(count, l.touched)
	l.written = 0
	return acked, nil, foreign
}

// take acknowledges up to count, of which at most sent messages can be ours.
func (l *ledger) take(count uint64, sent int) (acked []message, foreign *Foreign) {
	n := sent
	if extra := count - l.count; extra <= uint64(sent) {
		n = int(extra)
	} else {
		foreign = &Foreign{Sent: l.count + uint64(sent), Count: count}
	}
	acked = l.pending[:n:n]
	l.pending = l.pending[n:]
	l.count = count
	l.written = max(l.written-n, 0)
	l.touched = max(l.touched-n, 0)
	return acked, foreign
}
