// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"time"

	"github.com/holdfast-go/holdfast/internal/spool"
)

// A lane has the oldest of its events in the queue, and leaves what finds no room
// there in the spool, to read it later. Everything here but acknowledge is called
// with mu held.

// unread is what a lane has not read yet.
type unread struct {
	behind int                // events
	next   spool.Pos          // of the first one, or a little before it
	left   map[uint64]stretch // by segment, from that of next on
	passed int                // events of that segment that were read
	hole   entry              // the gap of events that were dropped behind that segment, if any
	acked  spool.Pos          // what the spool knows
}

// stretch is what a lane has left in a segment.
type stretch struct {
	span
	seq uint64 // of the first event; 0: from an earlier process
}

// leave notes an event that is in the spool only.
func (a *lane) leave(at spool.Pos, e *Event, when time.Time, seq uint64) {
	if a.behind == 0 {
		a.next, a.passed, a.left = at, 0, make(map[uint64]stretch)
	}
	known := a.left[at.Segment]
	if known.n == 0 {
		known.seq = seq
	}
	known.join(e.span(when))
	a.left[at.Segment] = known
	a.behind++
	a.recorded++
	a.pending++
}

// load fills an empty queue from the spool. It unlocks mu while it reads.
func (a *lane) load() {
	l := a.log
	for a.behind > 0 && a.queue.n == 0 && !a.gaveUp {
		at, tail := a.next, l.spool.tail
		l.mu.Unlock()
		payloads, err := l.spool.folder.Read(a.place, at, readBytes)
		l.mu.Lock()
		if at.Segment == tail.Segment {
			payloads = payloads[:min(len(payloads), tail.Index-at.Index)]
		}
		switch {
		case a.gaveUp || a.next != at:
		case len(payloads) > 0:
			a.receive(at, payloads)
		case err != nil:
			a.abandon(at.Segment, SpoolFailed, err)
			a.turnPage()
		default:
			a.turnPage()
		}
	}
}

// receive queues what was read.
func (a *lane) receive(at spool.Pos, payloads [][]byte) {
	seq := a.left[at.Segment].seq
	for _, p := range payloads {
		if f, ok := decode(p); ok && f.sent(a.log.stream.id) {
			e := entry{Event: f.Event, seq: seq, at: f.at, size: size(&f.Event), pos: at}
			if f.Seq > 0 && f.Stream == a.log.stream.id {
				e.seq = max(seq, 1) // of this process, in a segment that begins with others
			}
			*a.queue.push() = e
			a.bytes += e.size
			a.behind--
			a.passed++
		}
		at.Index++
	}
	a.next = at
}

// turnPage goes on to the next segment, past a hole.
func (a *lane) turnPage() {
	a.fillHole()
	delete(a.left, a.next.Segment)
	if at, ok := a.log.spool.folder.First(a.place, a.next.Segment); ok {
		a.next, a.passed = at, 0
		return
	}
	a.pending -= a.behind
	a.behind = 0
}

// fillHole puts a mark in the place of dropped events.
func (a *lane) fillHole() {
	if a.hole.gap != nil {
		a.queue.addGap(a.hole)
		a.hole = entry{}
	}
}

// abandon drops what the lane has not read of a segment.
func (a *lane) abandon(segment uint64, why DropReason, err error) {
	known := a.left[segment]
	s := known.span
	if segment == a.next.Segment {
		s.n -= a.passed
	}
	if s.n > 0 {
		if s.from > 0 {
			s.from = max(s.from, s.to-uint64(s.n)+1)
		}
		a.behind -= s.n
		a.pending -= s.n
		a.dropped[why] += uint64(s.n)
		for _, f := range a.flushes {
			if known.seq <= f.seq {
				f.lose(a, s.first, a.named(err))
				f.lose(a, s.last, a.named(err))
			}
		}
		if a.hole.gap == nil {
			a.hole = entry{seq: known.seq, at: s.at, gap: new(gap)}
		}
		a.hole.gap[why].join(s)
		a.report(context.Background(), Activity{Op: OpRecord, Drop: why, Events: s.n, Err: err})
	}
	delete(a.left, segment)
	a.log.spool.folder.Forgo(a.place, segment)
	if a.behind == 0 {
		a.fillHole()
		a.start()
	}
}

// reached returns the place before which the lane has settled everything.
func (a *lane) reached() spool.Pos {
	s := &a.log.stream
	at := a.oldest()
	if !a.begun && s.opened.Before(at) {
		at = s.opened
	}
	if !a.ended && s.ended.Before(at) {
		at = s.ended
	}
	return at
}

// oldest returns the place of the oldest event that is not settled.
func (a *lane) oldest() spool.Pos {
	for i := range a.flight {
		if at := a.flight[i].pos; at.Segment > 0 {
			return at
		}
	}
	for i := range a.queue.n {
		if at := a.queue.at(i).pos; at.Segment > 0 {
			return at
		}
	}
	if a.behind > 0 {
		return a.next
	}
	return a.log.spool.tail
}

// acknowledge notes in the spool what the sink has, and frees its space.
func (a *lane) acknowledge() {
	l := a.log
	if l.spool == nil {
		return
	}
	l.mu.Lock()
	to := a.reached()
	moved := to != a.acked && !a.gaveUp
	a.acked = to
	l.mu.Unlock()
	if !moved {
		return
	}
	folder := l.spool.folder
	folder.Settle(a.place, to)
	folder.Probe()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.makeRoom()
}
