// SPDX-License-Identifier: MIT

package lock

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/holdfast-go/holdfast/audit"
)

// Release ends the lease: its contexts end at once, then the store ends the
// hold, in one round trip. It works under a ctx that has ended, within five
// seconds. Later calls return nil, except that they try again when the store
// did not answer. Releasing a nil lease does nothing.
//
// [ErrNotHeld]: the lease had been lost, so another holder may have worked at
// the same time. [ErrUnavailable]: the store did not answer; the hold ends by
// its TTL.
func (l *Lease) Release(ctx context.Context) error {
	if l == nil {
		return nil
	}
	return l.release(context.WithoutCancel(ctx), ErrReleased)
}

func (l *Lease) release(ctx context.Context, cause error) error {
	l.m.gate.join() // until the outcome is recorded
	defer l.m.gate.leave()
	start := time.Now()
	e := l.event(OpRelease)
	t, send, err := l.letGo(cause)
	if !send && err == nil {
		return nil
	}
	ctx, end := l.m.span(ctx, OpRelease)
	defer func() { end(err) }()
	if send {
		l.m.forget(l)
		err = l.sendRelease(ctx, t)
	}
	e.Took, e.Result, e.Err = time.Since(start), result(err), err
	if err == nil {
		_ = l.record(ctx, "lock.released", audit.Success, "", slog.Duration("held", e.Held))
	}
	l.report(ctx, e)
	if send && e.Result == ResultNotHeld { // first sign that the hold was already lost
		_ = l.record(ctx, "lock.lost", audit.Failure, "missing")
		e.Op, e.Err = OpLost, ErrLost
		l.report(ctx, e)
	}
	return err
}

// letGo ends the lease here and reports whether the store is to release it, and by
// which ticket.
func (l *Lease) letGo(cause error) (t StoreTicket, send bool, err error) {
	if err := l.Err(); err != nil && !errors.Is(err, ErrReleased) {
		return t, false, l.notHeld("releasing", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	t = l.ticket
	if l.once {
		t.Until = l.until
	}
	switch {
	case l.cause == nil:
		l.end(cause)
		return t, true, nil
	case errors.Is(l.cause, ErrReleased):
		t.Again, l.unsent = l.unsent, false
		return t, t.Again, nil
	}
	return t, false, l.notHeld("releasing", l.cause)
}

func (l *Lease) sendRelease(ctx context.Context, t StoreTicket) error {
	ctx, cancel := context.WithTimeout(ctx, releaseTimeout)
	defer cancel()
	g, err := l.m.release(ctx, t)
	if err != nil {
		l.mu.Lock()
		l.unsent = true
		unconfirmed := l.unconfirmed
		l.mu.Unlock()
		if unconfirmed {
			l.m.undo(l.ticket) // the store may have confirmed it meanwhile
		}
		return unavailable(ctx, "releasing "+l.resource.String(), err)
	}
	if g.Status != StatusGranted {
		l.m.sweeper.found(l.ticket.Group, true) // it may have expired
		return l.notHeld("releasing", ErrLost)
	}
	return nil
}

// only returns the answer to a batch of one.
func only(grants []StoreGrant, err error) (StoreGrant, error) {
	switch {
	case err != nil:
		return StoreGrant{}, err
	case len(grants) != 1:
		return StoreGrant{}, errAnswers
	}
	return grants[0], nil
}

// release ends one hold.
func (m *Manager) release(ctx context.Context, t StoreTicket) (StoreGrant, error) {
	return only(m.store.Release(ctx, []StoreTicket{t}))
}

// extend sends one renewal.
func (m *Manager) extend(ctx context.Context, r StoreRenewal) (StoreGrant, error) {
	return only(m.store.Extend(ctx, []StoreRenewal{r}))
}
