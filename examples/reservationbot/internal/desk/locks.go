// SPDX-License-Identifier: MIT

package desk

import (
	"context"
	"time"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/lock"
)

// Locks are [Holds] kept by a lock manager, for the TTL or, if that is 0, for
// the manager's own.
type Locks struct {
	*lock.Manager
	TTL time.Duration
}

// Take holds the stay's nights for the guest, or returns a
// *[lock.ConflictError] at once.
func (l Locks) Take(ctx context.Context, s hotel.Stay, guest string) (Hold, error) {
	options := []lock.Option{lock.Holder(guest)}
	if l.TTL > 0 {
		options = append(options, lock.TTL(l.TTL))
	}
	lease, err := l.TryAcquire(ctx, s.Resource(), options...)
	if err != nil {
		return nil, err // and not a nil *Lease in a Hold
	}
	return lease, nil
}

// Resume goes on with a detached hold.
func (l Locks) Resume(ctx context.Context, ref lock.Ref) (Hold, error) {
	lease, err := l.Manager.Resume(ctx, ref)
	if err != nil {
		return nil, err
	}
	return lease, nil
}

// Held reports whether anybody holds a night of the stay.
func (l Locks) Held(ctx context.Context, s hotel.Stay) (bool, error) {
	for _, err := range l.Holds(ctx, s.Resource()) {
		return err == nil, err
	}
	return false, nil
}

// NoLocks are [Holds] that hold nothing: the control that shows what locks
// are for.
type NoLocks struct{}

// Take always succeeds.
func (NoLocks) Take(_ context.Context, s hotel.Stay, guest string) (Hold, error) {
	return noHold(guest + " " + s.Resource().String()), nil
}

// Resume has nothing to go on with.
func (NoLocks) Resume(context.Context, lock.Ref) (Hold, error) { return nil, lock.ErrNotHeld }

// Held reports false.
func (NoLocks) Held(context.Context, hotel.Stay) (bool, error) { return false, nil }

type noHold string

func (h noHold) ID() string                                { return "no hold of " + string(h) }
func (noHold) Fence() uint64                               { return 0 }
func (noHold) Deadline() time.Time                         { return time.Now() }
func (noHold) Err() error                                  { return nil }
func (noHold) Context(ctx context.Context) context.Context { return ctx }
func (noHold) Extend(context.Context, time.Duration) error { return nil }
func (noHold) Release(context.Context) error               { return nil }
func (noHold) Detach() (none lock.Ref)                     { return none }
