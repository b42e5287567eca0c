// SPDX-License-Identifier: MIT

package desk

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/talk"
	"github.com/holdfast-go/holdfast/session"
)

// An order is noted in a session of its own before it is sent. The note is
// removed once the guest's conversation says what came of the order. A note that
// stays expires, and [Desk.Settle] finishes what was begun:
//
//	the conversation has the booking      nothing is left to do
//	it keeps the hold of the order        the guest gets the booking as soon as the PMS lists it
//	neither, or there is no conversation  the order is withdrawn
//
// So neither a lost answer nor the death of a process leaves a booking in the PMS
// that its guest does not know.

// note stores an order that is about to be sent.
func (d *Desk) note(ctx context.Context, o hotel.Order) error {
	_, _, err := d.Orders.Open(ctx, noteOf(o.Key), o)
	return err
}

func noteOf(key string) session.Conversation {
	return session.Conversation{Channel: "order", Peer: key}
}

// tidy removes the notes of orders whose outcome the conversation has. If that
// fails, Settle finds nothing to do.
func (t *turn) tidy(ctx context.Context) {
	for _, key := range t.settled {
		_ = t.Orders.Delete(ctx, noteOf(key).ID())
	}
}

// withdraw takes back an order that may have been booked. Without an answer of
// the PMS the note stays.
func (t *turn) withdraw(ctx context.Context, key string, s hotel.Stay) error {
	_, err := ask(ctx, t, "withdraw", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, t.PMS.Withdraw(ctx, key)
	})
	if err == nil {
		t.settled = append(t.settled, key)
		t.record(ctx, "booking.withdrawn", audit.Success, key, s)
	}
	return err
}

// recall asks the PMS for the guest's bookings: an earlier conversation may have had
// more, and the hotel may have ended one. What the conversation has is enough to be
// cancelled, and to be listed when the PMS does not answer.
func (t *turn) recall(ctx context.Context) bool {
	r := t.request.Reference
	known := r == "" && len(t.mine()) > 0 || slices.ContainsFunc(t.chat.Bookings, func(b hotel.Booking) bool { return b.Reference == r })
	if known && t.request.Intent == talk.Cancel {
		return true
	}
	bookings, err := ask(ctx, t, "list", func(ctx context.Context) ([]hotel.Booking, error) { return t.PMS.BookingsOf(ctx, t.guest) })
	if known && err != nil {
		return true
	}
	if err != nil {
		t.noAnswer(err)
		return false
	}
	t.chat.Bookings = latest(maxBookings, t.known(ctx, bookings))
	return true
}

// known returns the bookings without those of the guest that were not given to the
// guest, and that no kept hold waits for. These are withdrawn.
func (t *turn) known(ctx context.Context, bookings []hotel.Booking) []hotel.Booking {
	return slices.DeleteFunc(bookings, func(b hotel.Booking) bool {
		if b.Guest != t.guest || ordered(t.chat.Bookings, b.Key) != nil || t.chat.Kept != nil && t.chat.Kept.Ref.ID() == b.Key {
			return false
		}
		_, err := t.Orders.Peek(ctx, noteOf(b.Key).ID())
		return err == nil && t.withdraw(ctx, b.Key, b.Stay) == nil
	})
}

// ordered returns the booking that the order made, or nil.
func ordered(bookings []hotel.Booking, key string) *hotel.Booking {
	for _, b := range bookings {
		if b.Key == key {
			return &b
		}
	}
	return nil
}

// errUnsettled says that the order may still be on its way.
var errUnsettled = errors.New("desk: the order is not booked, and its hold lasts")

// Settle is called for each note that has expired. It notes the order again until
// it is settled, so that this process may die meanwhile.
func (d *Desk) Settle(ctx context.Context, e session.Expired[hotel.Order]) error {
	order := e.Data
	if err := d.note(ctx, order); err != nil {
		return err
	}
	t := &turn{Desk: d, guest: order.Guest, request: talk.Request{Intent: talk.Book}}
	ctx, t.trace = withTrace(ctx)
	var open error
	err := d.Chats.Exclusive(ctx, SessionOf(order.Guest), func(ctx context.Context, s *session.Session[Chat]) error {
		t.speak(s.Data)
		open = t.settle(ctx, order)
		s.Data = t.chat
		return nil
	})
	if errors.Is(err, session.ErrNotFound) {
		err = t.withdraw(ctx, order.Key, order.Stay)
	}
	if errors.Join(err, open) == nil {
		t.settled = append(t.settled, order.Key)
		t.tidy(ctx)
	}
	return nil
}

func (t *turn) settle(ctx context.Context, o hotel.Order) error {
	if ordered(t.chat.Bookings, o.Key) != nil {
		return nil
	}
	if t.chat.Kept == nil || t.chat.Kept.Ref.ID() != o.Key {
		return t.withdraw(ctx, o.Key, o.Stay)
	}
	hold, err := t.Locks.Resume(ctx, t.chat.Kept.Ref)
	switch {
	case gone(err):
		return t.withdraw(ctx, o.Key, o.Stay) // the guest's next message is answered that the hold has ended
	case err != nil:
		return err
	}
	t.ordered = o.Key
	bookings, err := t.overlapping(ctx, hold, o.Stay)
	booking := ordered(bookings, o.Key)
	if booking == nil {
		t.keep(hold, o.Stay)
		return cmp.Or(err, errUnsettled)
	}
	t.confirm(ctx, hold, *booking)
	t.chat.Open = nil
	t.chat.Lines = latest(maxLines, t.chat.Lines, t.answer())
	return nil
}

// FollowUp gets each conversation that a timeout ended. One in which a
// booking was begun and never finished goes into the trail, and its hold, if
// that still lasts, to the next guest who wants the nights. It may be called again
// for the same conversation: then nothing happens twice.
func (d *Desk) FollowUp(ctx context.Context, e session.Expired[Chat]) error {
	kept := e.Data.Kept
	if kept == nil {
		return nil
	}
	event := happened("booking.abandoned", e.Conversation.Peer, audit.Failure, e.Reason.String(), kept.Stay)
	event.ID, event.Time = audit.DerivedID(e.ExpiresAt, e.ID), e.ExpiresAt
	if err := d.Audit.Record(ctx, event); err != nil {
		return err
	}
	hold, err := d.Locks.Resume(ctx, kept.Ref)
	if err == nil {
		err = hold.Release(ctx)
	}
	if gone(err) {
		return nil
	}
	return err
}
