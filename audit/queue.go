// SPDX-License-Identifier: MIT

package audit

import (
	"log/slog"
	"time"
)

// TypeDropped is the type of the event that a [Log] puts into the trail where
// others are missing. Its details are n, how many; first and last, the ids of
// the first and the last of them; from and to, their numbers in the stream, if
// they have any; reason, a [DropReason].
const TypeDropped = "audit.dropped"

// entry is an event on its way to the sink, or the gap that lost events left.
type entry struct {
	Event
	seq  uint64    // place in the order of acceptance
	at   time.Time // of acceptance
	size int       // of the event, in bytes
	gap  *gap      // of lost events; nil for an event
	mark bool      // Event is the log's own, such as a mark of the gap; a gap without it has no Event yet
}

// gap counts the events lost at one place of the trail.
type gap [RetriesSpent + 1]span

// span is the part of a gap with one reason.
type span struct {
	n           int
	first, last ID
	stream      ID        // of those with a number
	from, to    uint64    // their lowest and highest number
	at          time.Time // when the first one was recorded
}

func (g *gap) add(why DropReason, e *Event, at time.Time) {
	one := span{n: 1, first: e.ID, last: e.ID, at: at}
	if e.Seq > 0 {
		one.stream, one.from, one.to = e.Stream, e.Seq, e.Seq
	}
	g[why].join(one)
}

// join adds a later span.
func (s *span) join(l span) {
	switch {
	case s.n == 0:
		*s = l
		return
	case l.n == 0:
		return
	case s.from == 0:
		s.stream, s.from = l.stream, l.from
	}
	s.n += l.n
	s.last, s.to = l.last, max(s.to, l.to)
}

// filtered returns the event in the place of those that a filter has left out;
// a batch that is written again gets the same one.
func (s span) filtered() Event {
	return Event{
		ID: DerivedID(s.at, "filtered/"+s.first.String()+s.last.String()), Time: s.at, Type: TypeFiltered, Outcome: Success, Reason: "filtered",
		Resource: Entity{Type: "audit", ID: "filter"}, Stream: s.stream, Details: s.details("filtered"),
	}
}

// details describes the missing events for the trail.
func (s span) details(reason string) Details {
	attrs := []slog.Attr{slog.Int("n", s.n), slog.String("first", s.first.String()), slog.String("last", s.last.String())}
	if s.from > 0 {
		attrs = append(attrs, slog.Uint64("from", s.from), slog.Uint64("to", s.to))
	}
	return Fields(append(attrs, slog.String("reason", reason))...)
}

// join adds a later gap.
func (g *gap) join(later *gap) {
	for why, l := range later {
		g[why].join(l)
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
				Stream: s.stream, Details: s.details(reason),
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
func (q *queue) gapAtTail(seq uint64, why DropReason, e *Event, at time.Time) bool {
	if q.n > 0 && q.at(q.n-1).gap != nil {
		q.at(q.n-1).gap.add(why, e, at)
		return false
	}
	hole := entry{seq: seq, at: at, gap: new(gap)}
	hole.gap.add(why, e, at)
	q.push(&hole)
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
	left.gap.add(QueueFull, &e.Event, e.at)
	q.gapAtHead(left)
	return e, true
}
