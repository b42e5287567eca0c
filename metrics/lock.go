// SPDX-License-Identifier: MIT

package metrics

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/holdfast-go/holdfast/lock"
)

type lockSeries struct {
	ops                      [lock.OpClosed + 1][lock.ResultFailed + 1]atomic.Uint64
	took                     [lock.OpClosed + 1]*distribution // nil for what is no operation
	wait, hold               *distribution
	conflicts, lost, expired atomic.Uint64
}

func (m *Metrics) newLockSeries(label string) *lockSeries {
	s := &lockSeries{wait: m.histogram(lockWait, label), hold: m.histogram(lockHold, label)}
	for _, o := range lockOutcomes {
		s.took[o.op] = m.histogram(lockTook, label, o.op.String())
	}
	return s
}

// ObserveLock implements [lock.Observer].
func (m *Metrics) ObserveLock(ctx context.Context, e lock.Event) {
	if e.Source == nil || int(e.Op) >= len(lockSeries{}.ops) {
		return
	}
	s := m.locks.meet(e.Source, e.Op == lock.OpNew, e.Op == lock.OpClosed)
	if s == nil {
		return
	}
	switch {
	case e.Op == lock.OpLost:
		s.lost.Add(1)
	case e.Op == lock.OpExpired:
		s.expired.Add(1)
	default:
		s.ops[e.Op][min(e.Result, lock.ResultFailed)].Add(1)
		took := e.Took
		if e.Op == lock.OpAcquire {
			took -= e.Waited
			if e.Waited > 0 || e.Blocked || e.Result == lock.ResultConflict {
				m.contended(ctx, s, &e)
			}
		}
		if e.Result != lock.ResultInvalid { // nothing was sent
			m.observe(ctx, s.took[e.Op], took.Seconds())
		}
	}
	if e.Op == lock.OpLost || e.Op == lock.OpRelease && e.Result == lock.ResultOK {
		m.observe(ctx, s.hold, e.Held.Seconds())
	}
	if m.original != nil {
		m.original.lock(e)
	}
}

// contended counts an acquire that met a conflict. Later events of a lease
// repeat how long it was waited for.
func (m *Metrics) contended(ctx context.Context, s *lockSeries, e *lock.Event) {
	if e.Waited > 0 {
		m.observe(ctx, s.wait, e.Waited.Seconds())
	}
	if e.Blocked || e.Result == lock.ResultConflict {
		s.conflicts.Add(1)
		if m.keys != nil {
			m.keys.count(wanted(e))
		}
	}
}

// wanted returns the part of the resource that met the conflict, or all of it
// if the event has no conflict.
func wanted(e *lock.Event) lock.Resource {
	if c, ok := errors.AsType[*lock.ConflictError](e.Err); ok {
		if first, ok := c.First(); ok {
			return first.Wanted
		}
	}
	return e.Resource
}

func lockTotals(s lock.Stats) []float64 {
	return []float64{float64(s.AuditErrors), float64(s.ObserverPanics)}
}

func (o output) lock(r reading[lock.Stats, lockSeries]) {
	var held, renewing, waiting float64
	for _, s := range r.live {
		held += float64(s.Held)
		renewing += float64(s.Renewing)
		waiting += float64(s.Waiting)
	}
	if len(r.live) > 0 {
		o.put(lockHeld, held, r.label)
		o.put(lockRenewing, renewing, r.label)
		o.put(lockWaiting, waiting, r.label)
	}
	o.put(lockAuditErrors, r.totals[0], r.label)
	o.put(observerPanics, r.totals[1], "lock", r.label)

	for _, t := range lockOutcomes {
		putOperation(o, lockOps, t, r.label, r.pushed.ops[t.op][:])
	}
	o.put(lockConflicts, float64(r.pushed.conflicts.Load()), r.label)
	o.put(lockLost, float64(r.pushed.lost.Load()), r.label)
	o.put(lockExpired, float64(r.pushed.expired.Load()), r.label)
}
