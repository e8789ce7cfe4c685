package soak

import (
	"testing"
	"time"
)

type verdict struct{ acknowledged, lost, duplicated, reordered uint64 }

func verdictOf(t *tally) verdict {
	r := t.report(0)
	return verdict{r.Acknowledged, r.Lost, r.Duplicated, r.Reordered}
}

func TestJudge(t *testing.T) {
	for name, test := range map[string]struct {
		happens func(j *judge)
		want    verdict
	}{
		"exact": {func(j *judge) {
			j.open(0)
			j.sends(3).answers(1, 2, 3)
			j.final(3)
		}, verdict{acknowledged: 3}},
		"resumed, one was counted and not replied to": {func(j *judge) {
			j.open(0)
			j.sends(3).answers(1)
			j.open(2)
			j.answers(3)
			j.final(3)
		}, verdict{acknowledged: 3}},
		"the last reply was lost": {func(j *judge) {
			j.open(0)
			j.sends(2).answers(1)
			j.final(2)
		}, verdict{acknowledged: 2}},
		"forgets all": {func(j *judge) {
			j.open(0)
			j.sends(3).answers(1, 2, 3)
			j.open(0)
			j.sends(1).answers(1)
			j.final(1)
		}, verdict{acknowledged: 4, lost: 3}},
		"forgets at the end": {func(j *judge) {
			j.open(0)
			j.sends(3).answers(1, 2, 3)
			j.final(1)
		}, verdict{acknowledged: 3, lost: 2}},
		"never counts what was sent": {func(j *judge) {
			j.open(0)
			j.sends(3).answers(1)
			j.final(1)
		}, verdict{acknowledged: 1, lost: 2}},
		"counts a resend again": {func(j *judge) {
			j.open(0)
			j.sends(3).answers(1, 2, 3)
			j.open(4)
			j.sends(1).answers(5)
			j.final(5)
		}, verdict{acknowledged: 4, duplicated: 1}},
		"counts every message twice": {func(j *judge) {
			j.open(0)
			j.sends(1).answers(2)
			j.sends(1).answers(4)
			j.final(4)
		}, verdict{acknowledged: 2, duplicated: 2, reordered: 2}},
		"says a count again": {func(j *judge) {
			j.open(0)
			j.sends(2).answers(1, 1, 2)
			j.final(2)
		}, verdict{acknowledged: 2, reordered: 1}},
		"mixes replies up": {func(j *judge) {
			j.open(0)
			j.sends(3).answers(2, 1, 3)
			j.final(3)
		}, verdict{acknowledged: 3, reordered: 3}},
	} {
		t.Run(name, func(t *testing.T) {
			j := &judge{tally: newTally()}
			test.happens(j)
			if got := verdictOf(j.tally); got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
		})
	}
}

func (j *judge) sends(n int) *judge {
	for range n {
		j.sending()
	}
	return j
}

func (j *judge) answers(counts ...uint64) {
	for _, count := range counts {
		j.reply(count)
	}
}

func TestPlainJudge(t *testing.T) {
	for name, test := range map[string]struct {
		happens func(j *plainJudge)
		want    verdict
	}{
		"exact": {func(j *plainJudge) {
			j.sends(3).answers(1, 2, 3)
			j.final(3)
		}, verdict{acknowledged: 3}},
		"what was in flight is counted": {func(j *plainJudge) {
			j.sends(3).answers(1)
			j.sends(1).answers(4)
			j.final(4)
		}, verdict{acknowledged: 2}},
		"what was in flight is not counted": {func(j *plainJudge) {
			j.sends(3).answers(1)
			j.sends(1).answers(2)
			j.final(2)
		}, verdict{acknowledged: 2}},
		"loses what it acknowledged": {func(j *plainJudge) {
			j.sends(3).answers(1, 2, 3)
			j.sends(1).answers(2)
			j.final(2)
		}, verdict{acknowledged: 4, lost: 2}},
		"counts more than was sent": {func(j *plainJudge) {
			j.sends(3).answers(1, 2, 3)
			j.sends(1).answers(5)
			j.final(5)
		}, verdict{acknowledged: 4, duplicated: 1}},
		"counts every message twice": {func(j *plainJudge) {
			j.sends(2).answers(2, 4)
			j.final(4)
		}, verdict{acknowledged: 2, duplicated: 2}},
		"mixes replies up": {func(j *plainJudge) {
			j.sends(3).answers(1, 3, 2)
			j.final(3)
		}, verdict{acknowledged: 3, duplicated: 1, reordered: 1, lost: 0}},
		"replies to nothing": {func(j *plainJudge) {
			j.sends(1).answers(1, 2)
			j.final(2)
		}, verdict{acknowledged: 2, reordered: 1}},
		"forgets at the end": {func(j *plainJudge) {
			j.sends(2).answers(1, 2)
			j.final(0)
		}, verdict{acknowledged: 2, lost: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			j := &plainJudge{tally: newTally()}
			test.happens(j)
			if got := verdictOf(j.tally); got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
		})
	}
}

// sends opens a connection and writes n messages to it.
func (j *plainJudge) sends(n int) *plainJudge {
	j.open()
	for range n {
		j.sending()
	}
	return j
}

func (j *plainJudge) answers(counts ...uint64) {
	for _, count := range counts {
		j.reply(count)
	}
}

func TestHistogram(t *testing.T) {
	var h histogram
	if h.quantiles() != (Quantiles{}) {
		t.Error("an empty one is not zero")
	}
	for i := range 1000 {
		h.add(time.Duration(i+1) * time.Millisecond)
	}
	q := h.quantiles()
	if q.Max != 1000 || q.P50 < 500 || q.P50 > 512 || q.P99 < 990 || q.P99 > 1000 {
		t.Errorf("%+v", q)
	}
	h.add(7 * time.Hour)
	if h.quantiles().Max != (7*time.Hour).Seconds()*1000 {
		t.Error("forgets the longest")
	}
}
