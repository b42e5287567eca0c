// SPDX-License-Identifier: MIT

package memsession

import (
	"container/heap"
	"time"
)

// queue orders entries by their at, earliest first. An entry is in one queue
// at most, and knows its place there.
type queue []*entry

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *queue) Push(x any) {
	e := x.(*entry)
	e.queue, e.place = q, len(*q)
	*q = append(*q, e)
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	e.queue = nil
	return e
}

// put moves e into q, to be due at the given time.
func (q *queue) put(e *entry, at time.Time) {
	if e.queue == q {
		e.at = at
		heap.Fix(q, e.place)
		return
	}
	e.leave()
	e.at = at
	heap.Push(q, e)
}

// leave takes e out of its queue, if it is in one.
func (e *entry) leave() {
	if e.queue != nil {
		heap.Remove(e.queue, e.place)
	}
}

// due returns the earliest entry when its time has come.
func (q queue) due(now time.Time) *entry {
	if len(q) == 0 || now.Before(q[0].at) {
		return nil
	}
	return q[0]
}

// countDue returns how many entries are due. It only looks at those and at
// their children, because no child of an entry is due before it.
func (q queue) countDue(now time.Time) int64 {
	var n int64
	next := []int{0}
	for len(next) > 0 {
		i := next[len(next)-1]
		next = next[:len(next)-1]
		if i < len(q) && !now.Before(q[i].at) {
			n++
			next = append(next, 2*i+1, 2*i+2)
		}
	}
	return n
}
