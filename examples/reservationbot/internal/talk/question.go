// SPDX-License-Identifier: MIT

package talk

import (
	"strconv"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
)

// Slot is what a question of the bot wants to hear.
type Slot string

const (
	Consent    Slot = "consent" // yes or no
	Dates      Slot = "dates"
	NightCount Slot = "nights"
	Room       Slot = "room"
	DateOrder  Slot = "order"   // day or month first
	Choice     Slot = "choice"  // one of the guest's bookings
	OtherRoom  Slot = "another" // or other nights: these are taken
	NextStep   Slot = "next"    // of a hold: book, extend or cancel
	Action     Slot = "action"  // what to do about the dates and the room
	Offer      Slot = "offer"   // one of the free rooms
)

// Question is what the bot has asked, and the request that it is about.
type Question struct {
	Wants Slot    `json:"wants"`
	About Request `json:"about"`
}

// Answer reads r as the answer to the question, and returns the request as it
// is now. What is no answer stands for itself. Where the guest names an action
// and only the question knows about which room or nights, the result is
// unsure.
func (q *Question) Answer(r Request) Request {
	if q == nil {
		return r
	}
	about := q.About.Intent
	stays := about == Book || about == Hold || about == Unknown
	switch {
	case q.Wants == NextStep:
		if r.Intent == Yes {
			r.Intent, r.Unsure = Book, true
		}
		return r
	case r.Intent == Cancel && about == Cancel && !r.Bare():
		return r
	case r.Intent == Cancel && about == Unknown:
	case r.Intent == Cancel && stays && r.Bare():
		r.Intent = No // it ends the question, not a booking
		return r
	case r.Intent == Unknown || r.Intent == Yes || r.Intent == about:
	case r.Intent == List && q.Wants == Choice: // "my booking"
	case r.Intent == Availability && q.Wants == Action && r.Bare():
	case (r.Intent == Book || r.Intent == Hold) && (stays || q.Wants == Action):
	default:
		return r
	}
	if r.Intent.Acts() && !r.In.IsZero() && !r.Out.IsZero() && (r.Room != "" || q.About.Room == "" || q.Wants == Offer) {
		return r // it is complete
	}
	whole, changed := q.fill(r)
	named := r.Intent.Acts() || r.Intent == Availability
	if !changed && r.Intent == Unknown && r.Problem == (Message{}) && (r.Bare() || r.Nth > 0) {
		return r
	}
	if named {
		whole.Intent = r.Intent
	}
	switch {
	case q.Wants == Consent && !changed && !r.Unsure && (r.Intent == Yes || named && r.Intent == about):
		whole.Unsure = false
	case q.Wants == Action && named && !r.Unsure && !changed:
		whole.Unsure = false
	case q.Wants == OtherRoom && r.Intent == Yes && !changed:
		whole.Room, whole.Not = "", q.About.Room
	default:
		whole.Unsure = whole.Unsure || r.Unsure || named || r.Intent == Yes
	}
	return whole
}

// Bare reports whether r names no stay.
func (r Request) Bare() bool {
	return r.Room == "" && r.In.IsZero() && r.Out.IsZero() && r.Reference == "" && !r.Kept && !r.Made
}

// fill puts what r says into the request that the question is about.
func (q *Question) fill(r Request) (whole Request, changed bool) {
	whole = q.About
	before := whole
	whole.Kept, whole.Made = whole.Kept || r.Kept, whole.Made || r.Made
	if r.Nth > 0 {
		r = q.nth(r)
	}
	if r.Problem == Text.CannotChange {
		r.Problem = Message{} // it can, as nothing is done yet
	}
	if r.Number != "" {
		switch q.Wants {
		case NightCount:
			r = Request{Nights: number(r.Number)}
		case Room, OtherRoom, Offer:
			r = Request{Room: r.Number}
		case DateOrder:
			r = Request{Order: number(r.Number)}
		case Consent, Action, Dates:
			if about := q.About.Intent; len(r.Number) > 2 && about != Cancel && about != Extend {
				r = Request{Room: r.Number}
			}
		case Choice:
			if len(r.Number) > 2 {
				whole.Room = r.Number
			}
			whole.Number, whole.Lang = r.Number, r.Lang
			return whole, true
		}
	}
	if r.Room != "" {
		whole.Room = r.Room
	}
	if r.Another {
		whole.Room, whole.Not = "", q.About.Room
	}
	if r.Reference != "" {
		whole.Reference = r.Reference
	}
	q.order(&whole, &r)
	switch {
	case q.Wants == NightCount && whole.In.Before(r.In) && r.Out.IsZero() && r.Nights == 0:
		whole.Out, whole.Unsure = r.In, true // "the 14th"
	case !r.In.IsZero():
		whole.In, whole.Out, whole.SwappedIn, whole.SwappedOut = r.In, r.Out, r.SwappedIn, r.SwappedOut
		whole.Nights = max(r.Nights, 0)
		if r.Out.IsZero() && r.Nights == 0 && q.About.Nights > 0 {
			whole.Nights = q.About.Nights
		}
	case !r.Out.IsZero():
		whole.Out, whole.Nights = r.Out, 0
	case r.Nights > 0:
		whole.Nights, whole.Out = r.Nights, hotel.Date{}
	}
	if whole.Out.IsZero() && whole.Nights > 0 && !whole.In.IsZero() {
		whole.Out = whole.In.Plus(whole.Nights)
		if !whole.SwappedIn.IsZero() {
			whole.SwappedOut = whole.SwappedIn.Plus(whole.Nights)
		}
	}
	changed = whole != before
	whole.Lang, whole.Problem, whole.Wrong = r.Lang, r.Problem, r.Wrong
	return whole, changed
}

// nth reads "the first" or "the 14th", which is a date only where one is asked
// for.
func (q *Question) nth(r Request) Request {
	switch q.Wants {
	case Choice:
		r.Number = strconv.Itoa(r.Nth)
	case DateOrder:
		r.Order = r.Nth
	case NightCount:
		for r.In.Before(q.About.In) { // the day of the month after the arrival
			y, m, _ := r.In.Time().Date()
			r.In = hotel.Day(y, m+1, r.Nth)
		}
		return r
	case Dates:
		return r
	}
	r.In, r.Out, r.Nights, r.Unsure = hotel.Date{}, hotel.Date{}, 0, false
	return r
}

// order settles which way round the dates are, when r says so.
func (q *Question) order(whole, r *Request) {
	if q.Wants != DateOrder {
		return
	}
	switch {
	case r.Order == 1 || !r.In.IsZero() && r.In == whole.In:
		whole.SwappedIn, whole.SwappedOut, r.In = hotel.Date{}, hotel.Date{}, hotel.Date{}
	case r.Order == 2 || !r.In.IsZero() && r.In == whole.SwappedIn:
		*whole = whole.Swapped()
		r.In = hotel.Date{}
	}
}

// Swapped returns the request with its dates read with the month first.
func (r Request) Swapped() Request {
	r.In, r.Out, r.SwappedIn, r.SwappedOut = r.SwappedIn, r.SwappedOut, hotel.Date{}, hotel.Date{}
	return r
}
