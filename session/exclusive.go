// SPDX-License-Identifier: MIT

package session

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// Exclusive runs fn with the session while no other caller, in any process,
// handles or saves it, and saves it when fn returns nil. Callers are served in
// the order in which their requests reached the store. It waits until ctx ends,
// with [ErrBusy] then.
//
// A lease in the store excludes others. It lasts for Config.Lease and is renewed
// while fn runs; when that fails for too long, fn's context ends with the cause
// [ErrLeaseLost], and the save is refused. fn runs once, however often it takes
// to get there. An error of fn is returned as it is, and nothing is saved; a
// panic passes through. Saving and giving the lease back have a time limit of
// their own, so that they happen although ctx has ended. When that fails, or the
// outcome of taking the lease is not known, it is given back in the background.
//
// Inside fn, Save, Get and Delete work on the session; after a Delete nothing is
// saved. Update, Exclusive and Converse for the same session, with fn's context,
// are [ErrInvalid], since they would wait for themselves. Rotate and Bind are
// ErrInvalid, too.
//
// Two round trips, and one more to wait. Errors as for Get and Save.
func (m *Manager[T]) Exclusive(ctx context.Context, id ID, fn func(context.Context, *Session[T]) error) error {
	return m.exclusive(ctx, id, fn, m.taking)
}

// taking takes the lease of a session that exists. Where that has moved, id is what it
// is called there: a place in line lasts longer than Config.RotateGrace may.
func (m *Manager[T]) taking(o *operation, id *ID, lease string, turn func()) (*Session[T], error) {
	l := m.loading(*id)
	l.Lease, l.LeaseFor, l.Turn, l.TouchEvery = lease, m.cfg.Lease, turn, 0
	asked := l.Hash
	r, err := m.loaded(o, *id, &l)
	if l.Hash != asked {
		*id = listed(l.Hash)
	}
	if err != nil {
		return nil, err
	}
	return m.read(o.ctx, r.Record, *id)
}

// Converse is Open and Exclusive in one: it finds or creates the session of a
// conversation and runs fn with it, one message at a time, in the order of their
// arrival. Two round trips, and one more to wait.
func (m *Manager[T]) Converse(ctx context.Context, c Conversation, initial T, fn func(context.Context, *Session[T]) error) error {
	return m.exclusive(ctx, c.ID(), fn, func(o *operation, _ *ID, lease string, turn func()) (*Session[T], error) {
		s, _, err := m.open(o, c, &initial, lease, turn)
		return s, err
	})
}

func (m *Manager[T]) exclusive(ctx context.Context, id ID, fn func(context.Context, *Session[T]) error, take taker[T]) (err error) {
	o, _ := m.begin(ctx, OpExclusive)
	err = errAborted
	defer func() { m.finish(o, err) }()
	if fn == nil {
		return errNoFunction
	}
	return m.inTurn(o, id, fn, take)
}

// taker tries to take a lease. ErrBusy means that the call has a place in line,
// and that turn will be called.
type taker[T any] func(o *operation, id *ID, lease string, turn func()) (*Session[T], error)

// inTurn waits for the lease of a session and runs fn.
func (m *Manager[T]) inTurn(o *operation, id ID, fn func(context.Context, *Session[T]) error, take taker[T]) error {
	if m.handled(o.ctx, m.index.id(id)) {
		return errWithin
	}
	s, held, err := m.takeLease(o, id, take)
	o.Waited = time.Since(o.start)
	if err != nil {
		return err
	}
	return m.handleExclusively(o, s, held, fn)
}

// takeLease asks for the lease, and again each time that the store gives it the
// turn. held is when it was taken at the earliest, on this process's clock.
func (m *Manager[T]) takeLease(o *operation, id ID, take taker[T]) (s *Session[T], held time.Time, err error) {
	lease, mine := rand.Text(), make(chan struct{}, 1)
	turn := func() {
		select {
		case mine <- struct{}{}:
		default: // it has to ask already
		}
	}
	tries, waits := 0, false
	defer func() {
		if o.Op == OpExclusive {
			o.Attempts = tries
		}
	}()
	for {
		tries++
		held = time.Now()
		if s, err = take(o, &id, lease, turn); err == nil {
			s.lease = lease
			return s, held, nil
		}
		if !errors.Is(err, ErrBusy) {
			break
		}
		waits = true
		select {
		case <-mine:
			continue
		case <-o.ctx.Done():
		}
		break
	}
	if waits || leavesLease(err) {
		m.undo(id, lease)
	}
	if late := o.ctx.Err(); late != nil && waits {
		err = fmt.Errorf("%w: waiting for its turn: %w", ErrBusy, late)
	}
	return nil, held, err
}

// leavesLease reports whether a lease may have been taken by a call that
// returned err.
func leavesLease(err error) bool {
	_, corrupt := errors.AsType[*CorruptError](err)
	return corrupt || !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrTooLarge)
}

// handleExclusively runs fn under the lease, saves what it returned, and ends
// the lease however fn ends.
func (m *Manager[T]) handleExclusively(o *operation, s *Session[T], held time.Time, fn func(context.Context, *Session[T]) error) (err error) {
	lease, saved, id := s.lease, false, s.ID
	h := &handling{kind: m.kind, hash: m.index.id(id), subject: m.index.subject(s.Subject), outer: handlingOf(o.ctx)}
	defer func() {
		s.lease = ""
		h.over.Store(true)
		if !saved && !h.deleted.Load() && m.giveBack(context.WithoutCancel(o.ctx), m.handle(id, ""), lease) != nil {
			m.undo(id, lease)
		}
	}()
	if err := m.underLease(o, h, s, held, fn); err != nil || h.deleted.Load() {
		return err
	}
	if s.lease != lease || s.ID != id {
		return invalid("the function must leave the session in its place, and change its Data")
	}
	limited, cancel := m.detached(o.ctx)
	defer cancel()
	err = m.save(limited, o, s, true)
	saved = err == nil
	return err
}

// underLease runs fn while the lease is renewed. Once that is lost, nothing
// that fn returns is a success.
func (m *Manager[T]) underLease(o *operation, h *handling, s *Session[T], held time.Time, fn func(context.Context, *Session[T]) error) error {
	ctx, end := context.WithCancelCause(context.WithValue(o.ctx, handlingKey{}, h))
	watched := make(chan struct{})
	id, lease, idle := s.ID, s.lease, s.idle
	go func() {
		defer close(watched)
		m.keepLease(ctx, end, h, id, lease, idle, held)
	}()
	defer func() {
		end(nil)
		<-watched
	}()
	err := o.call(func() error { return fn(ctx, s) })
	if lost := context.Cause(ctx); errors.Is(lost, ErrLeaseLost) && !errors.Is(err, ErrLeaseLost) {
		return errors.Join(lost, err)
	}
	return err
}

// keepLease renews the lease until ctx ends, or ends it when the lease is lost:
// because the store says so, or because it has not answered for so long that
// the lease may have passed. Taking and renewing are activity, unthrottled: a
// session being handled does not go idle, however short its timeout is.
func (m *Manager[T]) keepLease(ctx context.Context, end context.CancelCauseFunc, h *handling, id ID, lease string, idle time.Duration, held time.Time) {
	l := m.loading(id)
	l.Lease, l.LeaseFor, l.Held, l.Bare, l.TouchEvery = lease, m.cfg.Lease, true, true, 0
	every := max(min(m.cfg.Lease, idle)/3, time.Millisecond)
	wait := every - time.Since(held)
	for sleep(ctx, wait) == nil {
		start, lastChance := time.Now(), held.Add(m.cfg.Lease)
		limited, cancel := context.WithTimeout(ctx, min(every/2, time.Until(lastChance))) // one lost request is not the lease's end
		r, err := m.ask(limited, OpExclusive, l.StoreHandle, func(ctx context.Context) (StoreReply, error) { return m.store.Load(ctx, l) })
		cancel()
		switch {
		case ctx.Err() != nil || h.deleted.Load():
			return
		case err == nil && r.Status == StatusDone:
			held, wait = start, every
		case err == nil || !time.Now().Before(lastChance):
			end(fmt.Errorf("%w: it could not be renewed", ErrLeaseLost))
			return
		default: // no answer: soon again, as long as there is time
			wait = min(every/10, time.Until(lastChance))
		}
	}
}
