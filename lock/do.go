// SPDX-License-Identifier: MIT

package lock

import (
	"context"
	"errors"
	"slices"
)

// Do waits for r as [Manager.Acquire] does, runs fn, and releases, whatever
// way fn ends. While fn runs the watchdog renews the lease; fn's context ends
// when ctx does or when the lease is lost. When it was lost, or MaxHold ended
// it, before fn came back, the error says so besides fn's own: fn's work may
// have met somebody else's. A release that the store did not answer is no
// error: fn was alone, and the hold ends by its TTL.
func (m *Manager) Do(ctx context.Context, r Resource, fn func(context.Context, *Lease) error, opts ...Option) (err error) {
	if fn == nil {
		return invalid("a nil function")
	}
	l, err := m.Acquire(ctx, r, append(slices.Clip(opts), AutoRenew())...)
	if err != nil {
		return err
	}
	defer func() {
		if released := l.Release(ctx); errors.Is(released, ErrNotHeld) {
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
