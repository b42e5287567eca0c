// SPDX-License-Identifier: MIT

package desk

import (
	"context"
	"errors"
	"slices"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/talk"
	"github.com/holdfast-go/holdfast/lock"
)

// hold keeps a stay for the guest, once the PMS has said that it is free.
func (t *turn) hold(ctx context.Context) {
	hold, stay, ok := t.obtain(ctx)
	if !ok {
		return
	}
	t.askBack(OK, talk.NextStep, talk.Text.Held, stay.Room, stay.Nights(), left(hold))
	t.keep(hold, stay)
}

// extend gives the guest's hold more time, up to the manager's limit.
func (t *turn) extend(ctx context.Context) {
	stay, ok := t.toExtend()
	if !ok {
		return
	}
	hold, ok := t.resume(ctx)
	if !ok {
		return
	}
	switch err := hold.Extend(ctx, t.HoldFor); {
	case err == nil:
		t.askBack(OK, talk.NextStep, talk.Text.Extended, stay.Room, left(hold))
	case errors.Is(err, lock.ErrMaxReached):
		t.askBack(Refused, talk.NextStep, talk.Text.ExtendedEnough, stay.Room, left(hold))
	case gone(err):
		t.forget(ctx, stay)
		return
	default:
		t.lockTrouble(err)
	}
	t.keep(hold, stay)
}

// obtain returns a hold on the stay that the guest asks for, which the PMS has
// said to be free. Otherwise it answers why not. An earlier hold lasts until
// there is another on a free stay.
func (t *turn) obtain(ctx context.Context) (*lock.Lease, hotel.Stay, bool) {
	hold, stay, ok := t.take(ctx)
	ok = ok && t.unbooked(ctx, hold, stay)
	switch {
	case t.earlier == nil:
	case ok:
		_ = t.letGo(ctx)
	case t.chat.Kept == nil: // it was in the way, and is taken again
		if hold, err := t.lock(ctx, t.earlier.Stay); err == nil {
			t.keep(hold, t.earlier.Stay)
		}
	}
	return hold, stay, ok
}

// take returns a hold on the stay that the guest asks for: the kept one, when
// that is meant, or a new one. Otherwise it answers why not.
func (t *turn) take(ctx context.Context) (*lock.Lease, hotel.Stay, bool) {
	if t.meansKept() {
		stay := t.chat.Kept.Stay
		hold, ok := t.resume(ctx)
		return hold, stay, ok
	}
	t.earlier = t.chat.Kept
	stay, ok := t.wanted()
	if !ok {
		return nil, stay, false
	}
	rooms := []string{stay.Room}
	if stay.Room == "" {
		free, ok := t.free(ctx, stay)
		if !ok {
			return nil, stay, false
		}
		rooms = slices.DeleteFunc(free, func(room string) bool { return room == t.request.Not })
	}
	return t.takeOneOf(ctx, rooms, stay)
}

// takeOneOf holds the first of the rooms that no other guest holds.
func (t *turn) takeOneOf(ctx context.Context, rooms []string, stay hotel.Stay) (*lock.Lease, hotel.Stay, bool) {
	t.say(Refused, talk.Text.NoFreeRoom, stay.Nights())
	for _, stay.Room = range rooms {
		hold, other, err := t.try(ctx, stay)
		switch {
		case err != nil:
			t.lockTrouble(err)
			return nil, stay, false
		case other == nil:
			t.reply.Stay = stay
			return hold, stay, true
		case t.request.Room != "":
			theirs := hotel.Booking{Order: hotel.Order{Stay: hotel.StayOf(other.Resource)}}
			t.reply.Stay, t.reply.Hold = stay, other
			t.askBack(Refused, talk.OtherRoom, talk.Text.HeldByOther, stay.Room, taken(stay, []hotel.Booking{theirs}), other.Left)
		}
	}
	return nil, stay, false
}

// try takes the stay, or returns another guest's hold that is in the way. When
// only the guest's own hold is, that is let go.
func (t *turn) try(ctx context.Context, stay hotel.Stay) (hold *lock.Lease, other *lock.Hold, err error) {
	if t.chat.Kept != nil && stay.Overlaps(t.chat.Kept.Stay) {
		if other, err = t.held(ctx, stay, t.guest); err != nil || other != nil {
			return nil, other, err
		}
		_ = t.letGo(ctx)
	}
	hold, err = t.lock(ctx, stay)
	if conflict, taken := errors.AsType[*lock.ConflictError](err); taken {
		if first, ok := conflict.First(); ok {
			return nil, &first.Hold, nil
		}
	}
	return hold, nil, err
}

// mention adds to the answer about another stay what has become of the earlier
// hold. One that gave way to other nights of the same room need not be mentioned.
func (t *turn) mention(earlier *Kept) {
	if earlier == nil || t.reply.Stay == (hotel.Stay{}) || t.reply.Stay == earlier.Stay {
		return
	}
	becomes := talk.Text.HoldDropped
	if now := t.chat.Kept; now != nil && now.Stay == earlier.Stay {
		becomes = talk.Text.HoldStays
	} else if t.reply.Stay.Overlaps(earlier.Stay) && t.reply.Outcome != Refused {
		return
	}
	t.reply.Text += " " + talk.Say(t.chat.Lang, becomes, earlier.Stay.Room, earlier.Stay.Nights())
}

// meansKept reports whether the guest goes on with the kept hold: by naming
// nothing that it is not.
func (t *turn) meansKept() bool {
	if t.chat.Kept == nil {
		return false
	}
	r, stay := t.request, t.chat.Kept.Stay
	return !r.Another && r.Not == "" && (r.Room == "" || r.Room == stay.Room) && (r.Nights == 0 || r.Nights == stay.Out.Since(stay.In)) &&
		(r.In.IsZero() || r.In == stay.In) && (r.Out.IsZero() || r.Out == stay.Out)
}

// resume goes on with the kept hold. When that has ended, it says so.
func (t *turn) resume(ctx context.Context) (*lock.Lease, bool) {
	kept := t.chat.Kept
	if kept.Ordered {
		t.ordered = kept.Ref.ID()
	}
	hold, err := t.Locks.Resume(ctx, kept.Ref)
	switch {
	case err == nil:
		t.reply.Stay = kept.Stay
		return hold, true
	case gone(err):
		t.forget(ctx, kept.Stay)
	default:
		t.lockTrouble(err)
	}
	return nil, false
}

// keep puts the hold into the conversation and lets go of it here: the next
// message may reach another process.
func (t *turn) keep(h *lock.Lease, s hotel.Stay) {
	t.chat.Kept = &Kept{Ref: h.Detach(), Stay: s, Ordered: t.ordered == h.ID()}
}

// letGo releases the kept hold, if any, and withdraws its order. An error says
// that the order is still to be withdrawn. If the release fails, the hold ends by
// itself.
func (t *turn) letGo(ctx context.Context) (err error) {
	kept := t.chat.Kept
	if kept == nil {
		return nil
	}
	if kept.Ordered {
		err = t.withdraw(ctx, kept.Ref.ID(), kept.Stay)
	}
	if hold, err := t.Locks.Resume(ctx, kept.Ref); err == nil {
		_ = hold.Release(ctx)
	}
	t.chat.Kept = nil
	return err
}

func (t *turn) forget(ctx context.Context, s hotel.Stay) {
	t.unorder(ctx, s)
	t.chat.Kept = nil
	t.say(Refused, talk.Text.HoldGone, s.Room)
}

// gone reports whether err means that the hold is not there any more.
func gone(err error) bool {
	return errors.Is(err, lock.ErrNotHeld) || errors.Is(err, lock.ErrLost) || errors.Is(err, lock.ErrReleased)
}

// lock holds the stay's nights for the guest, or returns a *[lock.ConflictError] at
// once.
func (t *turn) lock(ctx context.Context, s hotel.Stay) (*lock.Lease, error) {
	if t.Asking != nil {
		t.Asking(t.guest)
	}
	return t.Locks.TryAcquire(ctx, t.nights(s), lock.Holder(t.guest), lock.TTL(t.HoldFor))
}

// nights are what a hold of the guest locks. Without locks no two guests want the same.
func (t *turn) nights(s hotel.Stay) lock.Resource {
	if t.NoLocks {
		s.Room += " for " + t.guest
	}
	return s.Resource()
}

// fence orders the hold among those on its nights. Without locks there is no order.
func (t *turn) fence(l *lock.Lease) uint64 {
	if t.NoLocks {
		return 0
	}
	return l.Fence()
}

// held returns a hold of a guest other than but on a night of the stay, or nil.
func (t *turn) held(ctx context.Context, s hotel.Stay, but string) (*lock.Hold, error) {
	for h, err := range t.Locks.Holds(ctx, t.nights(s)) {
		if err != nil {
			return nil, err
		}
		if h.Holder != but {
			return &h, nil
		}
	}
	return nil, nil
}
