// SPDX-License-Identifier: MIT

package talk

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
)

const (
	friday    = 5
	maxNights = 30
)

// reader collects what the rules find in a message.
type reader struct {
	today  hotel.Date
	tokens []token

	reference string
	rooms     []string
	another   bool
	more      bool // "one more night"
	dates     []when
	nights    int
	night     bool    // "tonight", "the night of 12 December"
	unsure    bool    // ask before anything is done
	problem   Message // ask this; the first counts
	wrong     string  // the day that does not exist

	linked   bool // the next date is a departure
	dateNext bool // the next number such as 1.2 is a date
	between  bool // the next two dates are joined by "and"
	dayFirst bool // some date shows how the guest writes them
	monFirst bool
	dashes   int // of dates such as 12-12
}

// when is a day as far as it was said; the rest is 0.
type when struct {
	year, month, day int
	weekday          int // 1 = Sunday
	swapped          *when
	departure        bool
}

// read takes all tokens, by the first rule that fits at each.
func (r *reader) read() {
	for i := 0; i < len(r.tokens); {
		taken := 0
		for _, p := range grammar {
			found, n := p.match(r.tokens[i:])
			if n == 0 {
				continue
			}
			before := r.before(i)
			r.linked = before.class == "to"
			r.dateNext = before.class == "to" || before.class == "from"
			r.between = before.class == "from" && before.n == 1
			p.says(r, found)
			taken = n
			break
		}
		for j := i; j < i+taken; j++ {
			r.tokens[j].read = true
		}
		i += max(taken, 1)
	}
}

// before is the token before i, other than glue.
func (r *reader) before(i int) token {
	for i--; i >= 0; i-- {
		if r.tokens[i].class != "glue" {
			return r.tokens[i]
		}
	}
	return token{}
}

// match returns the tokens that fit the pattern, and how many they and the
// glue between them are.
func (p pattern) match(tokens []token) (found []token, taken int) {
	i := 0
	for _, part := range p.parts {
		j := i
		for j > 0 && j < len(tokens) && tokens[j].class == "glue" && part.classes[0] != "night" {
			j++
		}
		switch {
		case j < len(tokens) && slices.Contains(part.classes, tokens[j].class):
			found = append(found, tokens[j])
			i = j + 1
		case !part.optional:
			return nil, 0
		}
	}
	return found, i
}

func (r *reader) ask(m Message) {
	if r.problem == (Message{}) {
		r.problem = m
	}
}

// stays reads a number of nights.
func (r *reader) stays(n int) {
	if n == 0 || r.nights != 0 && r.nights != n {
		r.ask(Text.HowManyNights)
	}
	r.nights = n
}

// day reads a day that many days from today.
func (r *reader) day(n int) {
	y, m, d := r.today.Plus(n).Time().Date()
	r.add(when{year: y, month: int(m), day: d})
}

func (r *reader) weekday(n int) { r.add(when{weekday: n + 1}) }

func (r *reader) add(w when) {
	w.departure = r.linked
	r.dates = append(r.dates, w)
}

// date reads a day of the calendar. A month or year of 0 was not said.
func (r *reader) date(year, month, day int, t []token) {
	w := when{year: year, month: month, day: day}
	if !w.exists() {
		r.impossible(t)
		return
	}
	r.unsure = r.unsure || month == 0
	r.add(w)
}

// eitherWay reads a day of two numbers, of which either can be the month.
func (r *reader) eitherWay(a, b, year int, t []token) {
	if year > 0 && year < 100 {
		year += 2000
	}
	day, month := when{year: year, month: b, day: a}, when{year: year, month: a, day: b}
	dotted := strings.Contains(t[0].text, ".")
	switch {
	case t[0].class == "decimal" && (!dotted || !day.exists() || !r.dateNext):
		r.unsure = true // a number of something
		return
	case dotted || !month.exists():
		r.dayFirst = r.dayFirst || a != b
		month = day
	case !day.exists():
		r.monFirst = true
		day = month
	}
	if !day.exists() {
		r.impossible(t)
		return
	}
	if strings.Contains(t[0].text, "-") && year == 0 {
		r.dashes++
	}
	day.swapped = &month
	r.add(day)
}

func (r *reader) impossible(t []token) {
	var words []string
	between := " "
	for _, t := range t {
		switch {
		case t.class == "month" && t.lang == Spanish:
			between = " de "
			words = append(words, t.text)
		case t.class == "month":
			words = append(words, monthNames[English][t.n-1])
		case strings.ContainsAny(t.text, "0123456789"), t.class == "int", t.class == "nth":
			words = append(words, t.text)
		}
	}
	if r.problem == (Message{}) {
		r.problem, r.wrong = Text.NoSuchDay, strings.Join(words, between)
	}
}

// fields are the numbers of a date such as 12/12/2026.
func fields(t token) (all []int) {
	for _, f := range strings.FieldsFunc(t.text, func(r rune) bool { return r < '0' || r > '9' }) {
		all = append(all, number(f[:min(len(f), 6)]))
	}
	return all
}

// exists reports whether there can be such a day; 29 February without a year
// can.
func (w when) exists() bool {
	year, month := cmp.Or(w.year, 2024), cmp.Or(w.month, 1)
	return month <= 12 && w.day >= 1 && w.day <= 31 && hotel.Day(year, time.Month(month), w.day).Time().Day() == w.day
}

// from returns the first such day from a date on.
func (w when) from(first hotel.Date) hotel.Date {
	y, m, _ := first.Time().Date()
	switch {
	case w.day == 0:
		return first.Plus((w.weekday - 1 - int(first.Time().Weekday()) + 7) % 7)
	case w.year != 0:
		return hotel.Day(w.year, time.Month(w.month), w.day)
	case w.month == 0:
		d := hotel.Day(y, m, w.day)
		for d.Before(first) || d.Time().Day() != w.day {
			m++
			d = hotel.Day(y, m, w.day)
		}
		return d
	}
	d := hotel.Day(y, time.Month(w.month), w.day)
	if d.Before(first) {
		d = hotel.Day(y+1, time.Month(w.month), w.day)
	}
	return d
}

// stay returns the arrival and the departure, read with the day first or with
// the month first. What was not said is zero.
func (r *reader) stay(monthFirst bool) (in, out hotel.Date) {
	dates := slices.Clone(r.dates)
	for i, w := range dates {
		if w.swapped != nil && monthFirst {
			dates[i] = *w.swapped
			dates[i].departure = w.departure
		}
	}
	if len(dates) == 0 {
		return in, out
	}
	if dates[0].departure && len(dates) == 1 {
		out = r.resolve(dates[0], r.today.Plus(1))
		if r.nights > 0 {
			in, r.unsure = out.Plus(-r.nights), true
		}
		return in, out
	}
	first := r.today
	if dates[0].day == 0 {
		first = r.today.Plus(1)
	}
	in = r.resolve(dates[0], first)
	if len(dates) > 1 {
		out = r.resolve(dates[1], in.Plus(1))
		if out.Since(in) > maxNights {
			out = r.resolve(dates[1], r.today) // not a stay into the next year
		}
		if n := out.Since(in); r.nights != 0 && r.nights != n {
			r.ask(Text.HowManyNights)
		}
	} else if r.nights > 0 {
		out = in.Plus(r.nights)
	}
	return in, out
}

func (r *reader) resolve(w when, first hotel.Date) hotel.Date {
	d := w.from(first)
	if w.day != 0 && d.Time().Day() != w.day && r.problem == (Message{}) {
		r.problem, r.wrong = Text.NoSuchDay, fmt.Sprintf("%d-%02d-%02d", d.Time().Year(), w.month, w.day)
	}
	if w.day == 0 && d.Since(r.today) == 7 {
		r.unsure = true // a Tuesday, on a Tuesday
	}
	if w.day != 0 && w.weekday != 0 && int(d.Time().Weekday())+1 != w.weekday {
		r.unsure = true // Friday 12 December is a Saturday
	}
	// So far ahead, or so soon gone, that it may be a slip.
	if ahead := d.Since(r.today); ahead > 2*365 || w.year == 0 && ahead > 300 {
		r.unsure = true
	}
	return d
}
