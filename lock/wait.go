// SPDX-License-Identifier: MIT

package lock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"
)

const (
	firstPause = 20 * time.Millisecond // before a try is repeated that the store did not answer; doubled each time
	longPause  = time.Second
)

// errPatience ends a wait that [Wait] limits.
var errPatience = errors.New("lock: waited as long as allowed")

// errClosing ends the waits of a manager that is closed.
var errClosing = errors.New("lock: manager closing")

// errLate is why a grant is not believed, but asked for again: this process, or
// the answer, was stopped on the way.
var errLate = errors.New("the answer came after the lease had ended")

// insist repeats the claim, always under the same id, until it is granted or
// waiting makes no sense. Whatever else it returns, the claim is given up.
func (a *attempt) insist(ctx context.Context) (l *Lease, err error) {
	caller := ctx
	if a.wish.wait > 0 {
		limited, cancel := context.WithTimeoutCause(ctx, a.wish.wait, errPatience)
		defer cancel()
		ctx = limited
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(a.m.stopping, func() { cancel(errClosing) })()
	defer func() {
		if l == nil {
			a.giveUp()
		}
	}()
	var failed error // since the last conflict
	for pause := firstPause; ; {
		g, since, err := a.askInTime(ctx)
		if err == nil && g.Status == StatusBlocked {
			failed = nil
			conflict := a.blocked(caller, g)
			if g.Full {
				return nil, conflict
			}
			g, err = a.wait(ctx, g)
			since = g.Since
			if err == nil {
				pause = firstPause
			}
		}
		if err == nil && g.Status == StatusGranted && over(g.Hold, since) {
			err = errLate
		}
		switch {
		case err == nil && g.Status == StatusGranted:
			return a.granted(caller, g.Hold, since)
		case ctx.Err() != nil:
			return nil, a.gaveUp(ctx, failed, err)
		case err == nil && g.Status == StatusMissing: // it came too late
			err = errAnswers
			fallthrough
		case err != nil:
			if errors.Is(err, ErrPermanent) || errors.Is(err, ErrInvalid) {
				return nil, unavailable(ctx, "acquiring "+a.claim.Resource.String(), err)
			}
			failed = err
			if !sleep(ctx, pause) {
				return nil, a.gaveUp(ctx, failed, nil)
			}
			pause = min(2*pause, longPause)
		}
	}
}

// askInTime bounds one try, so that a server that hangs is asked again: one that
// may have a place for less time, since it may miss a grant meanwhile.
func (a *attempt) askInTime(ctx context.Context) (StoreGrant, time.Time, error) {
	limit := releaseTimeout
	if a.conflict != nil {
		limit = StoreTrialTime / 2
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return a.ask(ctx)
}

// sleep reports whether ctx lasted longer than d.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// gaveUp is the error of a wait that ctx ended: a conflict, unless a try
// failed since the last one, or none was ever answered.
func (a *attempt) gaveUp(ctx context.Context, failed, cut error) error {
	what := "waiting for " + a.claim.Resource.String()
	if context.Cause(ctx) == errClosing {
		return fmt.Errorf("lock: %s: %w", what, ErrClosed)
	}
	if a.conflict == nil && failed == nil {
		failed = cmp.Or(cut, errAnswers)
	}
	if context.Cause(ctx) == errPatience {
		if failed == nil {
			return a.conflict
		}
		ctx = context.WithoutCancel(ctx) // the caller's has not ended
	}
	switch {
	case failed == nil:
		return fmt.Errorf("lock: %s: %w: %w", what, ended(ctx), a.conflict)
	case a.conflict != nil:
		failed = errors.Join(failed, a.conflict)
	}
	return unavailable(ctx, what, failed)
}

func (a *attempt) wait(ctx context.Context, g StoreGrant) (StoreGrant, error) {
	start := time.Now()
	a.m.waiting.Add(1)
	defer func() {
		a.m.waiting.Add(-1)
		a.waited += time.Since(start)
		a.event.Waited = a.waited
	}()
	return a.m.store.Wait(ctx, a.claim, g)
}

// waitsForItself refuses a claim that could only be granted when leases end
// in whose contexts the caller is.
func (a *attempt) waitsForItself(ctx context.Context) error {
	var held []part
	for c := leaseOf(ctx); c != nil; c = leaseOf(c.parent) {
		if t := c.lease.ticket; t.Space == a.claim.Space && t.Group == a.claim.Group && a.m.shares(c.lease.m) && c.lease.Err() == nil {
			held = append(held, c.lease.resource.parts()...)
		}
	}
	for i, wanted := range a.claim.Resource.parts() {
		for _, first := range held { // the busiest point is where one of them begins, or the wanted part
			if !first.overlaps(wanted) {
				continue
			}
			room, point := a.claim.Capacity[i]-wanted.units, wanted
			if first.kind == wanted.kind {
				point.from = max(wanted.from, first.from)
			}
			point.to = point.from + 1
			for _, h := range held {
				if !h.overlaps(point) || h.shared && wanted.shared {
					continue
				}
				if room -= h.units; room < 0 || h.shared || wanted.shared {
					return invalid("waiting for %s in a context of the lease that holds %s", wanted, h)
				}
			}
		}
	}
	return nil
}

// shares reports whether two managers have one store, as far as can be seen.
func (m *Manager) shares(other *Manager) bool {
	return m == other || reflect.ValueOf(m.store).Comparable() && m.store == other.store
}
