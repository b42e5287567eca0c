// SPDX-License-Identifier: MIT

package talk

import (
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
)

// parser finds dates, a number of nights, a room and a booking reference
// among the words of a message. Each step takes the words that it understands
// at the current place and says how many.
type parser struct {
	today hotel.Date
	words []string

	room, reference string
	dates           []hotel.Date
	nights          int
	loneDay         int // "12" in "from 12 to 15 December"
}

func (p *parser) parse() {
	for i := 0; i < len(p.words); {
		rest := p.words[i:]
		taken := 1
		for _, step := range []func([]string) int{p.takeReference, p.takeRoom, p.takeNights, p.takeISO, p.takeDayMonth, p.takeRelative, p.takeNumber} {
			if n := step(rest); n > 0 {
				taken = n
				break
			}
		}
		i += taken
	}
}

// stay returns the first date, and the second one or the first plus the
// nights. What is missing is zero.
func (p *parser) stay() (in, out hotel.Date) {
	if len(p.dates) > 0 {
		in = p.dates[0]
	}
	switch {
	case len(p.dates) > 1:
		out = p.dates[1]
	case len(p.dates) == 1 && p.nights > 0:
		out = in.Plus(p.nights)
	}
	return in, out
}

// takeReference takes "hf-7k2qp".
func (p *parser) takeReference(w []string) int {
	if !strings.HasPrefix(w[0], "hf-") || len(w[0]) != len("hf-7k2qp") {
		return 0
	}
	p.reference = strings.ToUpper(w[0])
	return 1
}

// takeRoom takes "room 101".
func (p *parser) takeRoom(w []string) int {
	if len(w) < 2 || !roomWords[w[0]] || number(w[1]) == 0 || len(w) > 2 && nightWords[w[2]] {
		return 0
	}
	p.room = w[1]
	return 2
}

// takeNights takes "3 nights" or "two nights".
func (p *parser) takeNights(w []string) int {
	if len(w) < 2 || !nightWords[w[1]] {
		return 0
	}
	n := number(w[0])
	if n == 0 {
		n = smallNumbers[w[0]]
	}
	if n == 0 {
		return 0
	}
	p.nights = n
	return 2
}

// takeISO takes "2026-12-12".
func (p *parser) takeISO(w []string) int {
	d, err := hotel.ParseDate(w[0])
	if err != nil {
		return 0
	}
	p.dates = append(p.dates, d)
	return 1
}

// takeDayMonth takes "12 December 2026", "December 12" and "12 de diciembre
// de 2026". Without a year it means the next such date.
func (p *parser) takeDayMonth(w []string) int {
	day, month, taken := 0, time.Month(0), 0
	next := func() string {
		for taken < len(w) && w[taken] == "de" {
			taken++
		}
		if taken == len(w) {
			return ""
		}
		taken++
		return w[taken-1]
	}
	first, second := next(), next()
	switch {
	case months[second] != 0:
		day, month = number(first), months[second]
	case months[first] != 0:
		day, month = number(second), months[first]
	}
	if day < 1 || day > 31 || month == 0 {
		return 0
	}
	before := taken
	year := number(next())
	if year < 1000 || year > 9999 {
		taken = before
		year, _, _ = p.today.Time().Date()
		if hotel.Day(year, month, day).Before(p.today) {
			year++
		}
	}
	date := hotel.Day(year, month, day)
	if date.Time().Day() != day {
		return 0 // 31 June
	}
	if p.loneDay > 0 && len(p.dates) == 0 {
		p.dates = append(p.dates, hotel.Day(year, month, p.loneDay))
	}
	p.dates = append(p.dates, date)
	return taken
}

// takeRelative takes "tomorrow" and "friday"; a weekday is the next one after
// today.
func (p *parser) takeRelative(w []string) int {
	if days, ok := relativeDays[w[0]]; ok {
		p.dates = append(p.dates, p.today.Plus(days))
		return 1
	}
	weekday, ok := weekdays[w[0]]
	if !ok {
		return 0
	}
	days := int(weekday-p.today.Time().Weekday()+6)%7 + 1
	p.dates = append(p.dates, p.today.Plus(days))
	return 1
}

// takeNumber takes a number on its own: a day when "to" follows, and perhaps a
// month later, or a room when it has three digits.
func (p *parser) takeNumber(w []string) int {
	n := number(w[0])
	switch {
	case n >= 1 && n <= 31 && len(w) > 1 && toWords[w[1]]:
		p.loneDay = n
	case len(w[0]) == 3 && n > 0 && p.room == "":
		p.room = w[0]
	default:
		return 0
	}
	return 1
}

// number reads up to five digits, and returns 0 for anything else.
func number(word string) int {
	if len(word) > 5 || strings.HasPrefix(word, "-") {
		return 0
	}
	n, err := strconv.Atoi(word)
	if err != nil {
		return 0
	}
	return n
}
