package handlers

import "time"

// rate is the generic cell rate algorithm in one word: when, at the allowed
// pace, the messages so far would have been through. A second's worth may come
// at once.
type rate int64

func (r *rate) allow(now int64, perSecond int) bool {
	if perSecond == 0 {
		return true
	}
	interval := int64(time.Second) / int64(perSecond)
	through := max(int64(*r), now) + interval
	if through > now+int64(time.Second) {
		return false
	}
	*r = rate(through)
	return true
}
