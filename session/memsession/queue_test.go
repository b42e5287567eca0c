// SPDX-License-Identifier: MIT

package memsession

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestTheQueueAgreesWithASortedList(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	zero := time.Unix(0, 0)
	var q, other queue
	var all []*entry
	for range 2000 {
		switch {
		case len(all) == 0 || random.IntN(3) == 0:
			e := &entry{}
			q.put(e, zero.Add(time.Duration(random.IntN(1000))))
			all = append(all, e)
		case random.IntN(2) == 0: // moved within, or to another queue and back
			e := all[random.IntN(len(all))]
			if random.IntN(4) == 0 {
				other.put(e, zero)
			}
			q.put(e, zero.Add(time.Duration(random.IntN(1000))))
		default:
			i := random.IntN(len(all))
			all[i].leave()
			all = slices.Delete(all, i, i+1)
		}
		now := zero.Add(time.Duration(random.IntN(1000)))
		var want int64
		first := zero.Add(time.Hour)
		for _, e := range all {
			if !e.at.After(now) {
				want++
			}
			if e.at.Before(first) {
				first = e.at
			}
		}
		if got := q.countDue(now); got != want {
			t.Fatalf("%d are due, want %d", got, want)
		}
		if e := q.due(now); (e == nil) != (want == 0) || (e != nil && !e.at.Equal(first)) {
			t.Fatalf("the first due is %v, want the one at %v", e, first)
		}
		if len(q) != len(all) || len(other) != 0 {
			t.Fatalf("%d and %d are queued, want %d and none", len(q), len(other), len(all))
		}
	}
}
