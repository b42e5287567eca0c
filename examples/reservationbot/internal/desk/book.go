// SPDX-License-Identifier: MIT

package desk

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/talk"
	"github.com/holdfast-go/holdfast/lock"
)

// book holds the stay, asks whether it is free, books it with the hold's
// fence, and lets go. The hold's ID is the order's key. The order is noted before
// it is sent: see settle.go.
func (t *turn) book(ctx context.Context) {
	hold, stay, ok := t.obtain(ctx)
	if !ok {
		return
	}
	select { // as long as a person would think
	case <-time.After(t.Think):
	case <-ctx.Done():
	}
	order := hotel.Order{Key: hold.ID(), Guest: t.guest, Stay: stay, Fence: t.fence(hold)}
	if err := t.note(ctx, order); err != nil {
		t.keep(hold, stay)
		t.trouble("session_unavailable", err)
		return
	}
	booking, err := ask(hold.Context(ctx), t, "book", func(ctx context.Context) (hotel.Booking, error) {
		t.ordered = order.Key
		return t.PMS.Book(ctx, order)
	})
	switch {
	case errors.Is(err, hotel.ErrStaleFence):
		t.release(ctx, hold)
		t.forget(ctx, stay)
	case err != nil:
		t.noAnswerButHeld(ctx, hold, stay, err)
	default:
		t.confirm(ctx, hold, booking)
	}
}

// confirm gives the guest the booking that the held stay has become, once the trail
// has it.
func (t *turn) confirm(ctx context.Context, hold *lock.Lease, b hotel.Booking) {
	t.ordered, t.settled = "", append(t.settled, b.Key)
	t.release(ctx, hold)
	t.chat.Bookings = latest(maxBookings, t.chat.Bookings, b)
	t.reply.Booking = &b
	t.say(OK, talk.Text.Booked, b.Stay.Room, b.Stay.Nights(), b.Reference)
	t.record(ctx, "booking.confirmed", audit.Success, b.Reference, b.Stay)
	t.store(ctx)
}

// overlapping asks for the bookings of the held nights, and shows the PMS the fence.
func (t *turn) overlapping(ctx context.Context, hold *lock.Lease, stay hotel.Stay) ([]hotel.Booking, error) {
	return ask(hold.Context(ctx), t, "list", func(ctx context.Context) ([]hotel.Booking, error) {
		return t.PMS.Bookings(ctx, stay, t.fence(hold))
	})
}

// unbooked asks the PMS whether the held nights are free. If not, it releases
// the hold and says so; without an answer it keeps the hold, unless the guest has
// an earlier one. A booking that an earlier try has made, whose answer got lost, is
// confirmed.
func (t *turn) unbooked(ctx context.Context, hold *lock.Lease, stay hotel.Stay) bool {
	bookings, err := t.overlapping(ctx, hold, stay)
	made := ordered(bookings, hold.ID())
	switch {
	case errors.Is(err, hotel.ErrStaleFence):
		t.release(ctx, hold)
		t.say(Refused, talk.Text.HoldGone, stay.Room)
	case err != nil && t.earlier != nil:
		t.release(ctx, hold)
		t.noAnswer(err)
	case err != nil:
		t.noAnswerButHeld(ctx, hold, stay, err)
	case made != nil:
		t.confirm(ctx, hold, *made)
	default:
		if bookings = t.known(ctx, bookings); len(bookings) == 0 {
			return true
		}
		t.release(ctx, hold)
		t.bookedBy(stay, bookings)
	}
	return false
}

// bookedBy says who has nights of the stay, if it is the guest.
func (t *turn) bookedBy(stay hotel.Stay, bookings []hotel.Booking) {
	t.reply.Stay, t.reply.Booking = stay, &bookings[0]
	for _, b := range bookings {
		if b.Guest == t.guest {
			t.say(Refused, talk.Text.AlreadyYours, b)
			return
		}
	}
	t.askBack(Refused, talk.OtherRoom, talk.Text.BookedByOther, stay.Room, taken(stay, bookings))
}

// taken lists the nights of the stay that others have.
func taken(stay hotel.Stay, bookings []hotel.Booking) (nights []hotel.Date) {
	for _, night := range stay.Nights() {
		alone := hotel.Stay{Room: stay.Room, In: night, Out: night.Plus(1)}
		if slices.ContainsFunc(bookings, func(b hotel.Booking) bool { return alone.Overlaps(b.Stay) }) {
			nights = append(nights, night)
		}
	}
	return nights
}

// cancel gives up the kept hold or a booking.
func (t *turn) cancel(ctx context.Context, b hotel.Booking) {
	if b.Reference == "" {
		said := talk.Text.HoldCanceled
		if t.letGo(ctx) != nil {
			said = talk.Text.CancelPending
		}
		t.say(OK, said, b.Stay.Room, b.Stay.Nights())
		return
	}
	_, err := ask(ctx, t, "cancel", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, t.PMS.Cancel(ctx, b.Reference)
	})
	if err != nil && !errors.Is(err, hotel.ErrNoBooking) {
		t.noAnswer(err)
		return
	}
	t.chat.Bookings = slices.DeleteFunc(t.chat.Bookings, func(other hotel.Booking) bool { return other.Reference == b.Reference })
	t.say(OK, talk.Text.BookingCanceled, b.Stay.Room, b.Stay.Nights(), b.Reference)
	t.record(ctx, "booking.canceled", audit.Success, b.Reference, b.Stay)
}

// free lists the rooms that are not booked, or answers that the PMS does not.
func (t *turn) free(ctx context.Context, stay hotel.Stay) ([]string, bool) {
	rooms, err := ask(ctx, t, "free", func(ctx context.Context) ([]string, error) { return t.PMS.Free(ctx, stay.In, stay.Out) })
	if err != nil {
		t.noAnswer(err)
	}
	return rooms, err == nil
}

// availability lists the rooms that are neither booked nor held.
func (t *turn) availability(ctx context.Context) {
	stay, ok := t.wanted()
	if !ok {
		return
	}
	rooms, ok := t.free(ctx, stay)
	if !ok {
		return
	}
	var free []string
	for _, room := range rooms {
		if stay.Room != "" && room != stay.Room {
			continue
		}
		held, err := t.held(ctx, hotel.Stay{Room: room, In: stay.In, Out: stay.Out}, "")
		if err != nil {
			t.lockTrouble(err)
			return
		}
		if held == nil {
			free = append(free, room)
		}
	}
	if len(free) == 0 {
		t.say(Refused, talk.Text.NoFreeRoom, stay.Nights())
		for _, one := range t.mine() {
			if stay.Overlaps(one.Stay) {
				t.say(OK, talk.Text.AlreadyYours, one)
			}
		}
		return
	}
	t.request.Intent, t.request.Unsure = talk.Book, true // if the answer is one of them
	if len(free) == 1 {
		t.request.Room = free[0]
	}
	t.askBack(OK, talk.Offer, talk.Text.FreeRooms, stay.Nights(), free)
}

// ask calls the PMS through the breaker. A refusal shows that the PMS is
// there, so it says nothing bad about its health.
func ask[T any](ctx context.Context, t *turn, operation string, call func(context.Context) (T, error)) (T, error) {
	return circuitbreaker.Do(ctx, t.Breaker, func(ctx context.Context) (T, error) {
		ctx, cancel := context.WithTimeout(ctx, t.PMSTimeout)
		defer cancel()
		start := time.Now()
		answer, err := call(ctx)
		took := time.Since(start)
		t.Metrics.called(operation, err, took)
		t.trace.called(took)
		if refusal(err) {
			err = circuitbreaker.Ignore(err)
		}
		return answer, err
	})
}

func refusal(err error) bool {
	return errors.Is(err, hotel.ErrStaleFence) || errors.Is(err, hotel.ErrNoBooking)
}

// noAnswer is the fallback when there is nothing to keep.
func (t *turn) noAnswer(err error) {
	t.Metrics.fellBack(fallbackReason(err))
	t.say(Fallback, talk.Text.NoAnswer)
}

// noAnswerButHeld is the fallback that keeps the hold for another try.
func (t *turn) noAnswerButHeld(ctx context.Context, hold *lock.Lease, stay hotel.Stay, err error) {
	if hold.Err() != nil {
		t.forget(ctx, stay) // it ended while the PMS was being asked
		return
	}
	reason := fallbackReason(err)
	t.Metrics.fellBack(reason)
	t.askBack(Fallback, talk.NextStep, talk.Text.NoAnswerButHeld, stay.Room, stay.Nights(), left(hold))
	t.keep(hold, stay)
	t.record(ctx, "booking.deferred", audit.Failure, reason, stay)
}

func fallbackReason(err error) string {
	if errors.Is(err, circuitbreaker.ErrOpen) {
		return "breaker_open"
	}
	return "pms_error"
}

// release ends the hold, and withdraws an order that may have been booked with
// it. If the release fails, the hold ends by itself.
func (t *turn) release(ctx context.Context, h *lock.Lease) {
	t.unorder(ctx, t.reply.Stay)
	_ = h.Release(ctx)
	if kept := t.chat.Kept; kept != nil && kept.Ref.ID() == h.ID() {
		t.chat.Kept = nil
	}
}

// unorder withdraws the order that was sent and not answered, if there is one.
func (t *turn) unorder(ctx context.Context, s hotel.Stay) {
	if t.ordered != "" {
		_ = t.withdraw(ctx, t.ordered, s)
		t.ordered = ""
	}
}

// store waits until the trail's database has what was recorded: those who answer at
// the same time wait for the same write.
func (d *Desk) store(ctx context.Context) {
	if d.Flush == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_ = d.Flush(ctx) // a trail that is out of order is reported by itself
}

// record puts an event into the audit trail. A trail that is out of order does not change
// the answer; it counts what it drops.
func (t *turn) record(ctx context.Context, what string, o audit.Outcome, reason string, s hotel.Stay) {
	_ = t.Audit.Record(context.WithoutCancel(ctx), happened(what, t.guest, o, reason, s))
}

func happened(what, guest string, o audit.Outcome, reason string, s hotel.Stay) audit.Event {
	return audit.Event{
		Type:     what,
		Outcome:  o,
		Reason:   reason,
		Actor:    audit.Entity{Type: "guest", ID: guest},
		Resource: audit.Entity{Type: "room", ID: hotel.RoomName(s.Room), Name: s.Resource().String()},
	}
}
