// SPDX-License-Identifier: MIT

// Package talk turns what a guest writes into a [Request], and what the bot
// means into a sentence, in English and Spanish. It works by rules and word
// lists, without a network: tokens.go splits a message, lexicon.json lists what
// words mean, grammar.go what they mean together, detector.go decides what is
// asked for, and question.go reads the answer to a question of the bot.
//
// A reader never does the opposite of what was said. Whatever speaks against
// an affirmative request, such as a negation, a question, an unknown word or a
// number that cannot be placed, makes it unsure, and the guest is asked.
package talk

import (
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
)

// Intent is what a guest wants.
type Intent string

const (
	Unknown      Intent = "unknown"
	Book         Intent = "book"
	Hold         Intent = "hold"
	Extend       Intent = "extend"
	Cancel       Intent = "cancel"
	Availability Intent = "availability"
	List         Intent = "list" // the guest's own bookings
	Help         Intent = "help"
	House        Intent = "house" // prices, meals, a person: what this bot does not know
	Yes          Intent = "yes"
	No           Intent = "no" // of "no" and "do not cancel" alike: nothing is to be done
)

// Intents lists all intents.
func Intents() []Intent {
	return []Intent{Cancel, Extend, Hold, Book, Availability, House, List, Yes, No, Help, Unknown}
}

// Acts reports whether the intent changes something.
func (i Intent) Acts() bool { return i == Book || i == Hold || i == Extend || i == Cancel }

// Request is what a message asks for. What the guest did not say is zero.
type Request struct {
	Intent     Intent     `json:"intent"`
	Lang       Lang       `json:"-"`                // "" when the words do not tell
	Unsure     bool       `json:"unsure,omitempty"` // nothing may be done before the guest says yes
	Room       string     `json:"room,omitempty"`   // digits
	Not        string     `json:"not,omitempty"`    // the room that the guest does not want
	Another    bool       `json:"-"`                // another room than the last one
	In         hotel.Date `json:"in,omitzero"`
	Out        hotel.Date `json:"out,omitzero"`
	Nights     int        `json:"nights,omitempty"`
	SwappedIn  hotel.Date `json:"swapped_in,omitzero"` // with the month first, when that is possible too
	SwappedOut hotel.Date `json:"swapped_out,omitzero"`
	Reference  string     `json:"reference,omitempty"` // of a booking
	Kept       bool       `json:"kept,omitempty"`      // "my hold"
	Made       bool       `json:"made,omitempty"`      // "my booking"

	Number  string  `json:"-"` // all that was said
	Nth     int     `json:"-"` // "the first"
	Order   int     `json:"-"` // of dates: 1 = day first, 2 = month first
	Problem Message `json:"-"` // what has to be asked about the words themselves
	Wrong   string  `json:"-"` // the day that does not exist
}

const maxText = 1000 // characters that are looked at

// Detect understands a message by its words; "tomorrow" and dates without a year are
// counted from today. It never fails: what it cannot make out is Unknown. It takes a message
// for an affirmative request only when nothing in it speaks against that: no
// negation, no question, no "if" or "maybe", no unknown word, and no number that
// it cannot place.
func Detect(text string, today hotel.Date) Request {
	whole := utf8.RuneCountInString(text) <= maxText
	if !whole {
		text = string([]rune(text)[:maxText])
	}
	folded := fold(text)
	r := &reader{today: today, tokens: tokens(folded)}
	r.openings()
	r.read()
	out := Request{Lang: r.lang(), Reference: r.reference, Nights: r.nights, Another: r.another}
	said := r.said()
	out.Intent = r.choose(said)
	out.Kept, out.Made = said["held"], said["list"]
	r.slots(&out)
	out.Unsure, out.Problem, out.Wrong = r.unsure || !whole || foreign(folded) || past.MatchString(text), r.problem, r.wrong
	return out
}

// openings leaves words such as "is" a question only where a clause begins
// with them.
func (r *reader) openings() {
	first := true
	for i := range r.tokens {
		t := &r.tokens[i]
		if t.class == "askfirst" {
			t.class = "ask"
			if !first {
				t.class = ""
			}
		}
		first = slices.Contains([]string{"stop", "help", "polite", "but", "yes"}, t.class)
	}
}

// said returns the classes of the message. A verb counts unless it is negated
// or the object of another.
func (r *reader) said() map[string]bool {
	said := make(map[string]bool)
	negated := false
	for i, t := range r.tokens {
		next := ""
		if i+1 < len(r.tokens) {
			next = r.tokens[i+1].class
		}
		class := t.class
		switch class {
		case "stop", "but":
			negated = false
			if t.text == "?" || t.text == "¿" {
				class = "ask"
			}
		case "neg":
			negated = true
		case "book", "hold", "extend", "cancel":
			r.unsure = r.unsure || t.n > 0
			if before := Intent(r.before(i).class); negated {
				class = "negated"
			} else if class == "hold" && before.Acts() {
				class = "held" // "cancel hold"
			} else if class == "book" && before.Acts() {
				class = "list" // "cancel a booking"
			}
		case "yes":
			if t.text == "si" && next != "" && next != "stop" && next != "polite" && next != "yes" {
				class = "doubt" // "if"
			}
		}
		switch class {
		case "ask", "doubt", "or", "quote", "house", "neg", "unknown":
			r.unsure = true
		case "int", "number", "year", "odd", "decimal", "pair", "nth", "half", "nights", "week", "months", "month", "weekday", "next", "by":
			r.unsure = r.unsure || !t.read
		case "to":
			r.unsure = r.unsure || t.n > 0
		}
		r.unsure = r.unsure || t.typo
		said[class] = true
	}
	return said
}

// choose returns the intent of the classes that were said. Two things at once
// are asked about.
func (r *reader) choose(said map[string]bool) Intent {
	named := len(r.dates)+len(r.rooms)+r.nights > 0 // something of a stay
	correction := len(r.tokens) > 0 && r.tokens[0].text == "no" && named && !said["negated"]
	courtesy := said["polite"] && !named && !said["room"] && !said["yes"] && !said["help"] && !said["ask"] && !said["int"] && !said["number"]
	later := (said["clock"] || said["daytime"]) && (said["cancel"] || !named) // "cancel at 5pm" is not now
	r.unsure = r.unsure || later
	var actions []Intent
	for _, i := range []Intent{Cancel, Extend, Hold, Book} {
		if said[string(i)] {
			actions = append(actions, i)
		}
	}
	switch {
	case said["free"] && !said["cancel"] && !said["extend"] && (said["ask"] || len(actions) == 0):
		return Availability
	case len(actions) > 1:
		r.ask(Text.OneThing)
		return actions[0]
	case len(actions) == 1 && said["book"] && said["ask"] && said["list"]:
		return List // "do I have a booking?"
	case len(actions) == 1:
		return actions[0]
	case r.more:
		return Extend
	case said["change"] && !said["neg"]:
		r.ask(Text.CannotChange)
		return Unknown
	case said["house"]:
		return House
	case said["list"] && !said["neg"]:
		return List
	case correction:
		return Unknown // "no, room 102"
	case said["neg"] || courtesy:
		return No
	case said["yes"]:
		r.unsure = r.unsure || said["help"]
		return Yes
	case said["want"] && (said["room"] || len(r.dates) > 0):
		r.unsure = true
		return Book
	case named:
		return Unknown
	case said["help"]:
		return Help
	}
	return Unknown
}

// slots fills in what the rules have found.
func (r *reader) slots(out *Request) {
	rooms := slices.Compact(slices.Sorted(slices.Values(r.rooms)))
	if len(rooms) == 1 {
		out.Room = rooms[0]
	} else if len(rooms) > 1 {
		r.ask(Text.OneRoom)
	}
	if len(r.dates) > 2 {
		r.ask(Text.OneStay)
		return
	}
	if len(r.dates) == 2 {
		if r.dates[0].departure && !r.dates[1].departure {
			slices.Reverse(r.dates)
		}
		r.unsure = r.unsure || !r.dates[1].departure
	}
	if r.nights == 0 && r.night && (len(r.dates) == 1 || out.Intent == Extend || out.Intent == Cancel) {
		r.nights = 1
	}
	r.unsure = r.unsure || r.dashes == 1 || r.dayFirst && r.monFirst
	out.In, out.Out = r.stay(r.monFirst)
	if !r.monFirst && !r.dayFirst && out.Lang != Spanish {
		r.swap(out)
	}
	out.Nights = r.nights
	r.alone(out)
}

// swap keeps what the dates are with the month first, unless only the other
// way makes a stay.
func (r *reader) swap(out *Request) {
	switch in, o := r.stay(true); {
	case in == out.In && o == out.Out:
	case possible(out.In, out.Out) && !possible(in, o):
		r.unsure = true
	default:
		out.SwappedIn, out.SwappedOut = in, o
	}
}

// possible reports whether there can be a stay between the dates.
func possible(in, out hotel.Date) bool {
	return in.IsZero() || out.IsZero() || in.Before(out) && out.Since(in) <= maxNights
}

// alone reads a message that is only a number, or "day" or "month": the answer
// to a question.
func (r *reader) alone(out *Request) {
	var said []token
	asked := false
	for _, t := range r.tokens {
		asked = asked || t.text == "?"
		if !slices.Contains([]string{"glue", "polite", "stop", "for", "", "a"}, t.class) {
			said = append(said, t)
		}
	}
	if len(said) == 0 {
		return
	}
	switch t := said[0]; t.class {
	case "int", "number", "year":
		if len(said) == 1 {
			out.Number, r.unsure = t.text, asked
			if t.class == "int" {
				out.Number = strconv.Itoa(t.n)
			}
		}
	case "nth":
		if len(said) == 1 || len(said) == 2 && said[1].text == "one" {
			out.Nth = t.n
		}
	case "decimal":
		out.Number = t.text
	case "days", "months":
		if len(said) == 1 || len(said) == 2 && said[1].class == "nth" && said[1].n == 1 {
			out.Order = 1 + slices.Index([]string{"days", "months"}, t.class)
			out.In, r.unsure = hotel.Date{}, asked
		}
	}
}

func (r *reader) lang() Lang {
	count := make(map[Lang]int)
	for _, t := range r.tokens {
		count[t.lang]++
	}
	if count[English] == count[Spanish] {
		return ""
	} else if count[English] > count[Spanish] {
		return English
	}
	return Spanish
}

// number reads the digits of a day, a room or a count.
func number(digits string) int {
	n, _ := strconv.Atoi(digits)
	return n
}
