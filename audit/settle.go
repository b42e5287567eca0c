// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"errors"
	"slices"
	"time"
)

// An entry in flight is settled when the sink has stored it, or when it is lost
// and counted. Only the writer and giveUp settle; after giveUp no entry is left.

// update runs change with mu held, unless Close gave up, and ends the flushes
// that waited for that.
func (a *lane) update(change func()) {
	a.log.mu.Lock()
	defer a.log.mu.Unlock()
	if a.gaveUp {
		return
	}
	change()
	a.settled()
	a.log.makeRoom()
}

// stored settles the first n entries in flight.
func (a *lane) stored(n int) {
	a.update(func() {
		for i := range a.flight[:n] {
			a.arrived(&a.flight[i])
		}
		a.flight = a.flight[n:]
		a.failures, a.lastErr, a.urgent, a.lastSuccess = 0, nil, false, time.Now()
	})
}

func (a *lane) arrived(e *entry) {
	if !e.mark {
		a.written++
		a.pending--
		a.bytes -= e.size
	}
}

// storedBut settles part, the front of flight, except the events that the sink
// names. It reports whether one of those should be tried again.
func (a *lane) storedBut(part []entry, partial *BatchError) (again bool) {
	rest := make([]entry, 0, len(part))
	var bad []int // indices into rest
	for _, e := range part {
		err, failed := partial.Failed[e.ID]
		switch {
		case !failed:
			continue
		case !errors.Is(err, ErrPermanent):
			again = true
		case e.mark:
			continue // a refused mark is given up
		default:
			a.bury(e)
			bad = append(bad, len(rest))
		}
		rest = append(rest, e)
	}
	a.update(func() {
		for i := range part {
			if _, failed := partial.Failed[part[i].ID]; !failed {
				a.arrived(&part[i])
				a.lastSuccess = time.Now()
			}
		}
		a.flight = append(rest, a.flight[len(part):]...)
	})
	for _, i := range bad {
		a.poisoned(i, partial.Failed[rest[i].ID])
	}
	return again
}

// concerns reports whether the error names an event of part.
func (e *BatchError) concerns(part []entry) bool {
	for i := range part {
		if _, ok := e.Failed[part[i].ID]; ok {
			return true
		}
	}
	return false
}

// spend drops everything in flight and leaves one gap for all of it, marks
// included. A closed log gives up marks that no event follows. Called with mu
// held.
func (a *lane) spend(err error) {
	before := a.pending
	left := entry{seq: a.flight[0].seq, at: a.flight[0].at, gap: new(gap), pos: a.flight[0].pos}
	for i := range a.flight {
		switch e := &a.flight[i]; {
		case !e.mark:
			a.lost(e, RetriesSpent, err)
			left.gap.add(RetriesSpent, &e.Event, e.at)
		case e.own():
			a.again(e.Type)
		default:
			left.gap.join(e.gap)
		}
	}
	a.flight = nil
	if before == 0 && a.log.closing != nil {
		a.queue, a.ended = queue{}, true // marks alone do not delay Close
		return
	}
	a.queue.gapAtHead(left)
}

// poisoned puts a mark in the place of the i-th event in flight.
func (a *lane) poisoned(i int, err error) {
	a.update(func() {
		e := &a.flight[i]
		a.lost(e, Poisoned, err)
		hole := entry{seq: e.seq, at: e.at, gap: new(gap), pos: e.pos}
		hole.gap.add(Poisoned, &e.Event, e.at)
		*e = hole.marks(a.log.cfg.Name)[0]
	})
}

// unmark gives up a mark that the sink refuses.
func (a *lane) unmark(err error) {
	a.update(func() {
		a.flight = a.flight[1:]
		a.failures++
		a.lastErr = err
	})
}

// bury writes an event that the sink refuses to the dead letters.
func (a *lane) bury(e entry) {
	if a.log.cfg.DeadLetter != nil {
		_ = a.call(a.log.ctx, a.log.cfg.DeadLetter, []Event{e.Event}) // the event counts as poisoned in any case
	}
}

// giveUp ends the log: the events that are left count as lost. Those that were
// being written come first; it returns how many they are.
func (l *Log) giveUp(ctx context.Context, f *flush) (inDoubt int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := f.lost
	f.lost = nil
	var left []*lane
	for _, a := range l.lanes {
		if !slices.Contains(a.flushes, f) { // it has ended
			continue
		}
		left = append(left, a)
		if l.spool != nil { // which keeps what is left
			for _, other := range a.flushes {
				if other != f {
					other.causes[a.place] = a.named(a.waitedInVain(ctx))
				}
			}
			a.gaveUp, a.flight = true, nil
			a.queue = queue{}
			a.settled()
			a.forget(f)
			continue
		}
		for i := range a.flight {
			if e := &a.flight[i]; !e.mark {
				a.lost(e, RetriesSpent, a.waitedInVain(ctx))
			}
		}
	}
	inDoubt = len(f.lost)
	f.lost = append(f.lost, before...)
	for _, a := range left {
		for !a.gaveUp && a.queue.n > 0 {
			if e := a.queue.pop(); e.gap == nil {
				a.lost(&e, RetriesSpent, a.waitedInVain(ctx))
			}
		}
		a.gaveUp, a.flight = true, nil
		a.settled()
		a.forget(f)
	}
	return inDoubt
}

// settled ends the lane's part in the flushes whose entries have left queue and
// flight. Close's flush also waits for the writer to end. Called with mu held.
func (a *lane) settled() {
	if len(a.flushes) == 0 {
		return
	}
	oldest := a.log.seq + 1
	switch {
	case len(a.flight) > 0:
		oldest = a.flight[0].seq
	case a.queue.n > 0:
		oldest = a.queue.at(0).seq
	}
	if a.behind > 0 { // a mark in the queue may be of a later event
		oldest = min(oldest, a.left[a.next.Segment].seq)
	}
	if seq, ok := a.log.spool.gathered(); ok {
		oldest = min(oldest, seq)
	}
	a.flushes = slices.DeleteFunc(a.flushes, func(f *flush) bool {
		over := f.seq < oldest && (f != a.log.closing || !a.running)
		if over {
			if f.open--; f.open == 0 {
				close(f.done)
			}
		}
		return over
	})
}
