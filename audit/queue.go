// SPDX-License-Identifier: MIT

package audit

import (
	"log/slog"
	"time"
)

// TypeDropped is the type of the event that a [Log] puts into the trail where
// others are missing. Its details are n, their number; first and last, the ids of
// the first and the last of them; reason, a [DropReason].
const TypeDropped = "audit.dropped"

// entry is an event on its way to the sink, or the gap that lost events left.
type entry struct {
	Event
	seq  uint64    // place in the order of acceptance
	at   time.Time // of acceptance
	size int       // of the event, in bytes
	gap  *gap      // of lost events; nil for an event
	mark bool      // Event is a mark of the gap; a gap without it has no Event yet
}

// gap counts the events lost at one place of the trail.
type gap [RetriesSpent + 1]span

// span is the part of a gap with one reason.
type span struct {
	n           int
	first, last ID
	at          time.Time // when the first one was recorded
}

func (g *gap) add(why DropReason, id ID, at time.Time) {
	s := &g[why]
	if s.n == 0 {
		s.first, s.at = id, at
	}
	s.n++
	s.last = id
}

// join adds a later gap.
func (g *gap) join(later *gap) {
	for why, l := range later {
		switch s := &g[why]; {
		case s.n == 0:
			*s = l
		case l.n > 0:
			s.n += l.n
			s.last = l.last
		}
	}
}

// marks turns a gap into one event for each reason. The ids of marks are ordered
// like those of the lost events, but differ from them: a lost event may be
// recorded again, and its id must be free.
func (e entry) marks(log string) []entry {
	var marks []entry
	for why, s := range e.gap {
		if s.n > 0 {
			reason := DropReason(why).String()
			one := new(gap)
			one[why] = s
			marks = append(marks, entry{seq: e.seq, at: s.at, gap: one, mark: true, Event: Event{
				ID: s.first.beside(), Time: s.at.UTC().Truncate(time.Microsecond),
				Type: TypeDropped, Outcome: Failure, Reason: reason, Resource: Entity{Type: "audit", ID: log},
				Details: Fields(slog.Int("n", s.n), slog.String("first", s.first.String()),
					slog.String("last", s.last.String()), slog.String("reason", reason)),
			}})
		}
	}
	return marks
}

// queue is a ring of entries, oldest first. Two gaps are never neighbours, so the
// bound on events bounds the ring. It grows by doubling and keeps its memory.
type queue struct {
	ring    []entry // length zero or a power of two
	head, n int
}

func (q *queue) at(i int) *entry { return &q.ring[(q.head+i)&(len(q.ring)-1)] }

func (q *queue) push(e *entry) {
	q.grow()
	q.n++
	*q.at(q.n - 1) = *e
}

func (q *queue) pushFront(e entry) {
	q.grow()
	q.head = (q.head - 1) & (len(q.ring) - 1)
	q.n++
	*q.at(0) = e
}

func (q *queue) pop() entry {
	front := q.at(0)
	e := *front
	*front = entry{} // releases the texts
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.n--
	return e
}

func (q *queue) grow() {
	if q.n < len(q.ring) {
		return
	}
	ring := make([]entry, max(16, 2*len(q.ring)))
	for i := range q.n {
		ring[i] = *q.at(i)
	}
	q.ring, q.head = ring, 0
}

// gapAtTail notes an event that was lost after everything queued. It reports
// whether that took an entry of its own, which has the number seq.
func (q *queue) gapAtTail(seq uint64, why DropReason, id ID, at time.Time) bool {
	if q.n > 0 && q.at(q.n-1).gap != nil {
		q.at(q.n-1).gap.add(why, id, at)
		return false
	}
	e := entry{seq: seq, at: at, gap: new(gap)}
	e.gap.add(why, id, at)
	q.push(&e)
	return true
}

// gapAtHead notes lost events that were older than everything queued.
func (q *queue) gapAtHead(e entry) {
	if q.n > 0 && q.at(0).gap != nil {
		e.gap.join(q.pop().gap)
	}
	q.pushFront(e)
}

// dropOldest drops the oldest event, leaving a gap, and returns it; false
// when no event is queued.
func (q *queue) dropOldest() (entry, bool) {
	var left entry
	if q.n > 0 && q.at(0).gap != nil {
		if q.n == 1 {
			return entry{}, false
		}
		left = q.pop()
	}
	if q.n == 0 {
		return entry{}, false
	}
	e := q.pop()
	if left.gap == nil {
		left = entry{seq: e.seq, at: e.at, gap: new(gap)}
	}
	left.gap.add(QueueFull, e.ID, e.at)
	q.gapAtHead(left)
	return e, true
}
