// SPDX-License-Identifier: MIT

package desk

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/talk"
)

// understand makes the message whole: with the question that it answers, the
// way the guest writes dates, and what the kept hold says about "it".
func (t *turn) understand(open *talk.Question) {
	r := open.Answer(t.request)
	if open != nil && open.Wants == talk.DateOrder && r.SwappedIn.IsZero() && !r.In.IsZero() {
		t.chat.MonthFirst = r.In == open.About.SwappedIn
		t.chat.Order = true
	}
	if t.chat.Order && !(r.SwappedIn.IsZero() && r.SwappedOut.IsZero()) {
		if t.chat.MonthFirst {
			r = r.Swapped()
		}
		r.SwappedIn, r.SwappedOut = hotel.Date{}, hotel.Date{}
	}
	if t.chat.Kept != nil && r.Intent == talk.Unknown && r.Nth == 0 && (r.Another || r.Room != "" || r.Nights > 0 || !r.In.IsZero() || !r.Out.IsZero()) {
		r.Intent, r.Unsure = talk.Hold, true // "make it 3 nights"
		if r.Problem == talk.Text.CannotChange {
			r.Problem = talk.Message{}
		}
	}
	t.request = r
	if kept := t.chat.Kept; kept != nil && (r.Intent == talk.Book || r.Intent == talk.Hold) && !t.meansKept() {
		t.fromKept(kept.Stay)
	}
	t.reply.Intent = t.request.Intent
}

// fromKept takes from the kept hold what the guest did not say, which is then
// asked about: "make it 3 nights", "room 109 instead".
func (t *turn) fromKept(stay hotel.Stay) {
	r := &t.request
	switch {
	case r.In.IsZero() && r.Nights > 0:
		r.In, r.Out = stay.In, stay.In.Plus(r.Nights)
	case r.In.IsZero() && !r.Out.IsZero():
		r.In = stay.In
	case r.In.IsZero() && r.Room != "" && r.Room != stay.Room || r.Another:
		r.In, r.Out = stay.In, stay.Out
	case r.Room == "" && r.Not == "" && r.In == stay.In: // other nights of the same room
	default:
		return
	}
	r.Unsure = true
	if r.Another {
		r.Not = stay.Room
	} else {
		r.Room = cmp.Or(r.Room, stay.Room)
	}
}

// agreed reports whether the guest has said clearly what stay to book or hold.
// Otherwise it asks.
func (t *turn) agreed() bool {
	stay, ok := t.toTake()
	if ok && t.request.Unsure {
		m := talk.Text.ShallIBook
		if t.request.Intent == talk.Hold {
			m = talk.Text.ShallIHold
		}
		t.askBack(OK, talk.Consent, m, talk.AnyRoom(stay.Room), stay.Nights())
	}
	return ok && !t.request.Unsure
}

// toTake returns the stay to book or hold: the kept one, when that is meant.
func (t *turn) toTake() (hotel.Stay, bool) {
	if t.request.Problem == (talk.Message{}) && t.meansKept() {
		return t.chat.Kept.Stay, true
	}
	return t.wanted()
}

// askBack says something that is a question, and remembers it.
func (t *turn) askBack(o Outcome, wants talk.Slot, m talk.Message, args ...any) {
	t.say(o, m, args...)
	t.chat.Open = &talk.Question{Wants: wants, About: t.request}
}

// askAnew asks for the nights again, without those that were said.
func (t *turn) askAnew(m talk.Message, args ...any) {
	r := &t.request
	r.In, r.Out, r.SwappedIn, r.SwappedOut, r.Nights = hotel.Date{}, hotel.Date{}, hotel.Date{}, hotel.Date{}, 0
	t.askBack(OK, talk.Dates, m, args...)
}

// askHowLong asks for the number of nights again.
func (t *turn) askHowLong(m talk.Message, args ...any) {
	r := &t.request
	r.Out, r.SwappedOut, r.Nights = hotel.Date{}, hotel.Date{}, 0
	t.askBack(OK, talk.NightCount, m, args...)
}

// example is the arrival and the departure of a stay to come, as the guest may write it.
func (t *turn) example() []any {
	in := t.Today().Plus(11)
	return []any{in.String(), in.Plus(3).String()}
}

const maxNights = 30

// wanted returns the stay that the guest asks for, or asks about what is wrong
// with it. The room may be empty: any will do.
func (t *turn) wanted() (s hotel.Stay, ok bool) {
	r := &t.request
	if r.Intent == talk.Availability && r.Out.IsZero() && !r.In.IsZero() {
		r.Out = r.In.Plus(1)
	}
	s = hotel.Stay{Room: r.Room, In: r.In, Out: r.Out}
	switch {
	case r.Problem == talk.Text.OneThing:
		t.say(OK, r.Problem)
	case r.Problem == talk.Text.OneStay:
		r.Room = ""
		t.askAnew(r.Problem)
	case r.Problem == talk.Text.NoSuchDay:
		t.askAnew(r.Problem, r.Wrong)
	case r.Problem == talk.Text.OneRoom:
		r.Room = ""
		t.askBack(OK, talk.Room, r.Problem)
	case s.Room != "" && !slices.Contains(t.Rooms, s.Room):
		r.Room = ""
		t.askBack(OK, talk.Room, talk.Text.NoSuchRoom, s.Room)
	case r.Problem == talk.Text.NeedDates:
		t.askAnew(r.Problem, t.example()...)
	case r.Problem != (talk.Message{}): // a number of nights
		t.askHowLong(r.Problem)
	case s.In.IsZero():
		t.askBack(OK, talk.Dates, talk.Text.NeedDates, t.example()...)
	case s.In.Before(t.Today()):
		t.askAnew(talk.Text.PastDates)
	case s.Out.IsZero():
		t.askBack(OK, talk.NightCount, talk.Text.HowManyNights)
	case !r.SwappedIn.IsZero() && r.SwappedIn != s.In:
		t.askBack(OK, talk.DateOrder, talk.Text.DayOrMonth, s.In, r.SwappedIn)
	case !r.SwappedOut.IsZero() && r.SwappedOut != s.Out:
		t.askBack(OK, talk.DateOrder, talk.Text.DayOrMonth, s.Out, r.SwappedOut)
	case !s.In.Before(s.Out):
		t.askAnew(talk.Text.WrongDates)
	case s.Out.Since(s.In) > maxNights:
		t.askHowLong(talk.Text.TooLong, strconv.Itoa(maxNights))
	default:
		return s, true
	}
	return hotel.Stay{}, false
}

// mine lists the hold, as a booking without a reference, and the bookings of the
// guest.
func (t *turn) mine() (all []hotel.Booking) {
	if t.chat.Kept != nil {
		all = append(all, hotel.Booking{Order: hotel.Order{Stay: t.chat.Kept.Stay}})
	}
	return append(all, t.chat.Bookings...)
}

func (t *turn) list() {
	if all := t.mine(); len(all) > 0 {
		t.say(OK, talk.Text.Yours, all)
		return
	}
	t.say(OK, talk.Text.NothingYours)
}

// yes answers a "yes" to no question: the kept hold may be meant.
func (t *turn) yes() {
	if t.chat.Kept == nil {
		t.say(OK, talk.Text.AllRight)
		return
	}
	t.request.Intent, t.request.Unsure = talk.Book, true
	t.agreed()
}

// toExtend returns the stay whose hold is to be extended. Otherwise it says why
// not, or asks.
func (t *turn) toExtend() (hotel.Stay, bool) {
	r := t.request
	switch {
	case r.Problem == talk.Text.OneThing:
		t.say(OK, r.Problem)
	case r.Nights > 0 || !r.In.IsZero() || !r.Out.IsZero():
		t.say(Refused, talk.Text.CannotChange)
	case t.chat.Kept == nil:
		t.say(Refused, talk.Text.NothingHeld)
	case !t.meansKept():
		t.say(Refused, talk.Text.NotYours, t.mine())
	case r.Unsure || r.Problem != (talk.Message{}) || r.Made:
		t.request.Made, t.request.Unsure = false, true
		t.askBack(OK, talk.Consent, talk.Text.ShallIExtend, talk.AnyRoom(t.chat.Kept.Stay.Room))
	default:
		return t.chat.Kept.Stay, true
	}
	return hotel.Stay{}, false
}

// toCancel returns the hold or the booking that the guest means, as mine does.
// Otherwise it says why not, or asks.
func (t *turn) toCancel(open *talk.Question) (one hotel.Booking, ok bool) {
	r := t.request
	all := t.mine()
	if r.Problem == talk.Text.OneRoom {
		r.Room = "" // "all but room 101"
	}
	found := slices.DeleteFunc(slices.Clone(all), func(b hotel.Booking) bool { return !means(r, b) })
	if n, err := strconv.Atoi(r.Number); err == nil && n >= 1 && n <= len(found) {
		found = found[n-1 : n]
	}
	if open != nil && open.Wants == talk.NextStep && t.chat.Kept != nil && r.Bare() {
		found = found[:1] // the hold that was just spoken of
	}
	switch {
	case r.Problem == talk.Text.OneThing:
		t.say(OK, r.Problem)
	case r.Problem == talk.Text.NoSuchDay:
		t.say(OK, r.Problem, r.Wrong)
	case len(all) == 0:
		t.say(Refused, talk.Text.NothingToCancel)
	case r.Nights > 0 && r.Out.IsZero():
		t.say(Refused, talk.Text.CannotChange)
	case len(found) == 0:
		t.say(Refused, talk.Text.NotYours, all)
	case len(found) > 1:
		t.request.Problem, t.request.Room = talk.Message{}, r.Room
		t.askBack(OK, talk.Choice, talk.Text.WhichOne, found)
	case r.Unsure || r.Problem != (talk.Message{}) || oneNight(r, open, found[0]):
		stay := found[0].Stay
		t.request = talk.Request{Intent: talk.Cancel, Unsure: true, Reference: found[0].Reference}
		if found[0].Reference == "" {
			t.request.Kept, t.request.Room, t.request.In, t.request.Out = true, stay.Room, stay.In, stay.Out
		}
		t.askBack(OK, talk.Consent, talk.Text.ShallICancel, found[0])
	default:
		return found[0], true
	}
	return one, false
}

// oneNight reports whether the guest may mean one night of a longer stay:
// "cancel Friday".
func oneNight(r talk.Request, open *talk.Question, b hotel.Booking) bool {
	asked := open != nil && open.Wants == talk.Choice
	return !asked && !r.In.IsZero() && r.Out.IsZero() && r.Room == "" && r.Reference == "" && b.Stay.Out.Since(b.Stay.In) > 1
}

// means reports whether the request can be about the hold or the booking.
func means(r talk.Request, b hotel.Booking) bool {
	booked := b.Reference != ""
	day := func(said, swapped, is hotel.Date) bool { return said.IsZero() || said == is || swapped == is }
	return (r.Reference == "" || r.Reference == b.Reference) &&
		(r.Room == "" || r.Room == b.Stay.Room) &&
		(!r.Kept || !booked) && (!r.Made || r.Kept || booked) &&
		day(r.In, r.SwappedIn, b.Stay.In) && day(r.Out, r.SwappedOut, b.Stay.Out)
}

// unknown answers what was not understood: with the open question once more,
// or by asking what to do about the stay that was named.
func (t *turn) unknown(open *talk.Question) {
	r := t.request
	switch {
	case open != nil && open.Wants != talk.NextStep && (r.Bare() || r.Nth > 0) && len(t.chat.Lines) > 0:
		t.Metrics.fellBack("unknown_intent")
		t.reply.Outcome, t.reply.Text = Fallback, t.chat.Lines[len(t.chat.Lines)-1].Text
		t.chat.Open = open
	case r.Problem == talk.Text.CannotChange:
		t.say(Refused, r.Problem)
	case r.Problem != (talk.Message{}) || r.Room != "" || !r.In.IsZero():
		if stay, ok := t.wanted(); ok {
			t.askBack(OK, talk.Action, talk.Text.WhatToDo, talk.AnyRoom(r.Room), stay.Nights())
		}
	default:
		t.Metrics.fellBack("unknown_intent")
		t.say(Fallback, talk.Text.NotUnderstood)
	}
}
