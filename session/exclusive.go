// SPDX-License-Identifier: MIT

package session

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"
)

const (
	leaseFor   = 10 * time.Second // a conversation waits so long at most for a process that died
	renewEvery = leaseFor / 3     // or a third of IdleTimeout, if that is shorter
	pollAtMost = 50 * time.Millisecond
)

// Exclusive runs fn with the session while no other caller, in any process,
// handles or saves it, and saves it when fn returns nil. Callers in this
// process are served in the order of their calls; it waits until ctx ends,
// with [ErrBusy] then.
//
// A lease in the store excludes others. It is renewed while fn runs; when
// that fails for too long, fn's context ends with the cause [ErrLeaseLost], and
// the save is refused. fn runs once, however often it takes to get there. An
// error of fn is returned as it is, and nothing is saved; a panic passes
// through. Saving and giving the lease back have a time limit of their own, so
// that they happen although ctx has ended.
//
// Inside fn, Save and Get work on the session; Update, Rotate, Bind, and
// Exclusive for the same session do not. After a Delete inside fn there is
// nothing to save any more, which is [ErrNotFound].
//
// Two round trips without contention. Errors as for Get and Save.
func (m *Manager[T]) Exclusive(ctx context.Context, id ID, fn func(context.Context, *Session[T]) error) error {
	if id.IsZero() {
		return m.refuseExclusive(ctx, invalid("the zero ID names no session"))
	}
	return m.exclusive(ctx, id, fn, func(o *operation, lease string) (*Session[T], error) {
		l := m.loading(id)
		l.Lease, l.LeaseFor, l.TouchEvery = lease, leaseFor, 0
		r, err := m.loaded(o, id, l)
		if err != nil {
			return nil, err
		}
		return m.read(o.ctx, r.Record, id)
	})
}

// Converse is Open and Exclusive in one: it finds or creates the session of a
// conversation and runs fn with it, one message at a time. Two round trips
// without contention.
func (m *Manager[T]) Converse(ctx context.Context, c Conversation, initial T, fn func(context.Context, *Session[T]) error) error {
	if err := checkConversation(c); err != nil {
		return m.refuseExclusive(ctx, err)
	}
	return m.exclusive(ctx, c.ID(), fn, func(o *operation, lease string) (*Session[T], error) {
		s, _, err := m.open(o, c, &initial, lease)
		return s, err
	})
}

func (m *Manager[T]) refuseExclusive(ctx context.Context, err error) error {
	m.finish(begin(ctx, OpExclusive), err)
	return err
}

// exclusive waits for its turn, takes the lease by calling take until it does
// not answer ErrBusy, and runs fn.
func (m *Manager[T]) exclusive(ctx context.Context, id ID, fn func(context.Context, *Session[T]) error, take func(*operation, string) (*Session[T], error)) (err error) {
	o := begin(ctx, OpExclusive)
	err = errAborted
	defer func() { m.finish(o, err) }()
	if fn == nil {
		err = errNoFunction
		return err
	}
	h := id.hash(m.cfg.Name)
	if late := m.turns.enter(ctx, h); late != nil {
		o.Waited = time.Since(o.start)
		err = gaveUp(late)
		return err
	}
	defer m.turns.leave(h)
	s, held, err := m.takeLease(o, id, take)
	o.Waited = time.Since(o.start)
	if err != nil {
		return err
	}
	err = errAborted
	err = m.handleExclusively(o, s, held, fn)
	return err
}

func gaveUp(err error) error { return fmt.Errorf("%w: waiting for its turn: %w", ErrBusy, err) }

// takeLease polls until the lease is there. held is when it was taken at the
// earliest, on this process's clock. After an error it may have been taken:
// when the caller has cancelled, it is given back for the next one, otherwise it
// ends by itself.
func (m *Manager[T]) takeLease(o *operation, id ID, take func(*operation, string) (*Session[T], error)) (s *Session[T], held time.Time, err error) {
	lease := rand.Text()
	for {
		o.Attempts++
		held = time.Now()
		s, err = take(o, lease)
		if err == nil {
			s.lease = lease
			return s, held, nil
		}
		if !errors.Is(err, ErrBusy) {
			if o.ctx.Err() == context.Canceled {
				m.freeLease(o.ctx, id, lease)
			}
			return nil, held, err
		}
		if err := sleep(o.ctx, pollAtMost/10+mathrand.N(pollAtMost*9/10)); err != nil {
			return nil, held, gaveUp(err)
		}
	}
}

// handleExclusively runs fn under the lease, saves what it returned, and ends
// the lease however fn ends.
func (m *Manager[T]) handleExclusively(o *operation, s *Session[T], held time.Time, fn func(context.Context, *Session[T]) error) (err error) {
	lease, saved := s.lease, false
	id := s.ID
	defer func() {
		s.lease = ""
		if !saved {
			m.freeLease(o.ctx, id, lease)
		}
	}()
	if err := m.underLease(o.ctx, s, held, fn); err != nil {
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
func (m *Manager[T]) underLease(ctx context.Context, s *Session[T], held time.Time, fn func(context.Context, *Session[T]) error) error {
	ctx, end := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	id, lease := s.ID, s.lease
	go func() {
		defer close(watched)
		m.keepLease(ctx, end, id, lease, held)
	}()
	defer func() {
		end(nil)
		<-watched
	}()
	err := fn(ctx, s)
	if lost := context.Cause(ctx); errors.Is(lost, ErrLeaseLost) && !errors.Is(err, ErrLeaseLost) {
		return errors.Join(lost, err)
	}
	return err
}

// keepLease renews the lease until ctx ends, or ends it when the lease is lost:
// because the store says so, or because it has not answered for so long that
// the lease may have passed. Taking and renewing are activity, unthrottled: a
// session being handled does not go idle, however short its timeout is.
func (m *Manager[T]) keepLease(ctx context.Context, end context.CancelCauseFunc, id ID, lease string, held time.Time) {
	l := m.loading(id)
	l.Lease, l.LeaseFor, l.Held, l.Bare, l.TouchEvery = lease, leaseFor, true, true, 0
	every := max(min(renewEvery, m.cfg.IdleTimeout/3), time.Millisecond)
	wait := every
	for sleep(ctx, wait) == nil {
		start, lastChance := time.Now(), held.Add(leaseFor)
		limited, cancel := context.WithTimeout(ctx, min(every/2, time.Until(lastChance))) // one lost request is not the lease's end
		r, err := m.ask(limited, OpExclusive, func(ctx context.Context) (Reply, error) { return m.store.Load(ctx, l) })
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && r.Status == Done:
			held, wait = start, every
		case err == nil || !time.Now().Before(lastChance):
			end(fmt.Errorf("%w: it could not be renewed", ErrLeaseLost))
			return
		default: // no answer: soon again, as long as there is time
			wait = min(every/10, time.Until(lastChance))
		}
	}
}

// freeLease gives the lease back. If that fails, it ends by itself.
func (m *Manager[T]) freeLease(ctx context.Context, id ID, lease string) {
	limited, cancel := m.detached(ctx)
	defer cancel()
	m.store.Load(limited, LoadRequest{Handle: m.handle(id, ""), Lease: lease, Bare: true})
}
