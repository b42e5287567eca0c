// SPDX-License-Identifier: MIT

package lock

import (
	"context"
	"errors"
	"slices"
)

// Do waits for r as [Manager.Acquire] does, runs fn, and releases, even if fn
// panics. Every caller runs fn, one after the other; for work that one process
// does and the others skip, see [Manager.TryDo]. While fn
// runs, the watchdog renews the lease; fn's context ends when ctx does or when
// the lease is lost. If the lease was lost, or MaxHold or [Manager.Close] ended it,
// before fn returned, the error wraps [ErrNotHeld] besides fn's own: another holder may
// have worked at the same time. A release that the store did not answer is no
// error: fn was alone, and the hold ends by its TTL. [Wait] limits the waiting
// alone.
func (m *Manager) Do(ctx context.Context, r Resource, fn func(context.Context, *Lease) error, opts ...Option) error {
	return m.do(ctx, r, m.Acquire, fn, opts)
}

// TryDo is Do without waiting: a [*ConflictError] when r is taken. With
// [KeepAtLeast] it runs a job once in a fleet.
func (m *Manager) TryDo(ctx context.Context, r Resource, fn func(context.Context, *Lease) error, opts ...Option) error {
	return m.do(ctx, r, m.TryAcquire, fn, opts)
}

func (m *Manager) do(ctx context.Context, r Resource, acquire func(context.Context, Resource, ...Option) (*Lease, error),
	fn func(context.Context, *Lease) error, opts []Option,
) (err error) {
	if fn == nil {
		return invalid("a nil function")
	}
	l, err := acquire(ctx, r, append(slices.Clip(opts), AutoRenew())...)
	if err != nil {
		return err
	}
	defer func() {
		ended := l.Err()
		released := l.Release(ctx)
		if errors.Is(ended, ErrClosed) {
			released = l.notHeld("holding", ended)
		}
		if errors.Is(released, ErrNotHeld) {
			err = errors.Join(err, released)
		}
	}()
	return fn(l.Context(ctx), l)
}

// Do is [Manager.Do] for a function with a result.
func Do[T any](ctx context.Context, m *Manager, r Resource, fn func(context.Context, *Lease) (T, error), opts ...Option) (T, error) {
	var out T
	if fn == nil {
		return out, invalid("a nil function")
	}
	err := m.Do(ctx, r, func(ctx context.Context, l *Lease) (err error) {
		out, err = fn(ctx, l)
		return err
	}, opts...)
	return out, err
}
