// SPDX-License-Identifier: MIT

package memsession

import (
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/session"
)

// line has those who wait for the lease of a record, in order of arrival.
type line struct {
	places []place
	until  time.Time   // the first has the turn until then; zero = it is not its turn
	timer  *time.Timer // set for the end of the turn, the lease or the record
}

type place struct {
	lease string
	turn  func()
}

// mayTake reports whether a caller may take the lease of a record: when it is
// free, and no one is before the caller. Otherwise a caller with a turn gets a
// place, or keeps it.
func (sp *space) mayTake(h session.Hash, lease string, turn func(), now time.Time) bool {
	if lease == "" || sp.byHash[h].leasedTo(lease, now) {
		return true
	}
	sp.serve(h, now) // which ends a turn that was not taken
	l := sp.lines[h]
	if l == nil {
		if sp.free(h, now) {
			return true
		}
		l = &line{}
		sp.lines[h] = l
	}
	if turn != nil && !slices.ContainsFunc(l.places, func(p place) bool { return p.lease == lease }) {
		l.places = append(l.places, place{lease, turn})
	}
	sp.serve(h, now)
	if l.until.IsZero() || l.places[0].lease != lease {
		return false
	}
	sp.drop(h, l)
	return true
}

// drop takes the first out of a line.
func (sp *space) drop(h session.Hash, l *line) {
	l.places, l.until = l.places[1:], time.Time{}
	if len(l.places) == 0 {
		l.end(sp, h)
	}
}

func (l *line) end(sp *space, h session.Hash) {
	if l.timer != nil {
		l.timer.Stop()
	}
	delete(sp.lines, h)
}

// free reports whether no one has the lease of a record.
func (sp *space) free(h session.Hash, now time.Time) bool {
	e := sp.byHash[h]
	return e == nil || e.lapsed(now) || !e.leasedToOthers("", now)
}

// serve gives the turn to the first of a line when the lease is free, and looks
// again when the turn, the lease or the record ends.
func (sp *space) serve(h session.Hash, now time.Time) {
	l := sp.lines[h]
	if l == nil {
		return
	}
	var next time.Time
	if !l.until.IsZero() && !now.Before(l.until) {
		l.places, l.until = l.places[1:], time.Time{}
	}
	switch {
	case len(l.places) == 0:
		l.end(sp, h)
		return
	case !sp.free(h, now):
		next = sp.byHash[h].leaseEnd
		if lapses := sp.byHash[h].ExpiresAt; lapses.Before(next) {
			next = lapses
		}
	default:
		if l.until.IsZero() {
			l.until = now.Add(session.StoreTurnTime)
			sp.later = append(sp.later, l.places[0].turn)
		}
		next = l.until
	}
	if l.timer == nil {
		l.timer = time.AfterFunc(next.Sub(now), func() {
			sp.store.mu.Lock()
			defer sp.store.unlock(sp)
			sp.serve(h, time.Now())
		})
		return
	}
	l.timer.Reset(next.Sub(now))
}

// leave gives up a lease, or a place in line.
func (sp *space) leave(h session.Hash, lease string, now time.Time) {
	if e := sp.byHash[h]; e != nil && e.lease == lease {
		e.lease = ""
	}
	if l := sp.lines[h]; l != nil {
		if l.places[0].lease == lease {
			l.until = time.Time{}
		}
		l.places = slices.DeleteFunc(l.places, func(p place) bool { return p.lease == lease })
	}
	sp.serve(h, now)
}
