// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"errors"
	"time"
)

// An entry in flight is settled when the sink has stored it, or when it is lost
// and counted. Only the writer and giveUp settle; after giveUp no entry is left.

// update runs change with mu held, unless Close gave up, and ends the flushes
// that waited for that.
func (l *Log) update(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gaveUp {
		return
	}
	change()
	l.settled()
	l.makeRoom()
}

// stored settles the first n entries in flight.
func (l *Log) stored(n int) {
	l.update(func() {
		for i := range l.flight[:n] {
			l.arrived(&l.flight[i])
		}
		l.flight = l.flight[n:]
		l.failures, l.lastErr, l.urgent, l.lastSuccess = 0, nil, false, time.Now()
	})
}

func (l *Log) arrived(e *entry) {
	if !e.mark {
		l.written++
		l.pending--
		l.bytes -= e.size
	}
}

// storedBut settles part, the front of flight, except the events that the sink
// names. It reports whether one of those should be tried again.
func (l *Log) storedBut(part []entry, partial *BatchError) (again bool) {
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
			l.bury(e)
			bad = append(bad, len(rest))
		}
		rest = append(rest, e)
	}
	l.update(func() {
		for i := range part {
			if _, failed := partial.Failed[part[i].ID]; !failed {
				l.arrived(&part[i])
				l.lastSuccess = time.Now()
			}
		}
		l.flight = append(rest, l.flight[len(part):]...)
	})
	for _, i := range bad {
		l.poisoned(i, partial.Failed[rest[i].ID])
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
func (l *Log) spend(err error) {
	before := l.pending
	left := entry{seq: l.flight[0].seq, at: l.flight[0].at, gap: new(gap)}
	for i := range l.flight {
		switch e := &l.flight[i]; {
		case !e.mark:
			l.lost(e, RetriesSpent, err)
			left.gap.add(RetriesSpent, &e.Event, e.at)
		case e.own():
			l.stream.again(e.Type)
		default:
			left.gap.join(e.gap)
		}
	}
	l.flight = nil
	if before == 0 && l.closing != nil {
		l.queue, l.stream.ended = queue{}, true // marks alone do not delay Close
		return
	}
	l.queue.gapAtHead(left)
}

// poisoned puts a mark in the place of the i-th event in flight.
func (l *Log) poisoned(i int, err error) {
	l.update(func() {
		e := &l.flight[i]
		l.lost(e, Poisoned, err)
		hole := entry{seq: e.seq, at: e.at, gap: new(gap)}
		hole.gap.add(Poisoned, &e.Event, e.at)
		*e = hole.marks(l.cfg.Name)[0]
	})
}

// unmark gives up a mark that the sink refuses.
func (l *Log) unmark(err error) {
	l.update(func() {
		l.flight = l.flight[1:]
		l.failures++
		l.lastErr = err
	})
}

// bury writes an event that the sink refuses to the dead letters.
func (l *Log) bury(e entry) {
	if l.cfg.DeadLetter != nil {
		_ = l.call(l.cfg.DeadLetter, []Event{e.Event}) // the event counts as poisoned in any case
	}
}

// giveUp ends the log: the events that are left count as lost. It returns how
// many of them were being written.
func (l *Log) giveUp(ctx context.Context, f *flush) (inDoubt int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-f.done: // the flush ended at the same time
		return 0
	default:
	}
	err := l.waitedInVain(ctx)
	for i := range l.flight {
		if e := &l.flight[i]; !e.mark {
			l.lost(e, RetriesSpent, err)
			inDoubt++
		}
	}
	for l.queue.n > 0 {
		if e := l.queue.pop(); e.gap == nil {
			l.lost(&e, RetriesSpent, err)
		}
	}
	l.gaveUp, l.flight = true, nil
	l.settled()
	l.forget(f)
	return inDoubt
}
