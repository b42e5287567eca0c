// SPDX-License-Identifier: MIT

package desk

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/talk"
	"github.com/holdfast-go/holdfast/lock"
)

// Chat is what the bot remembers of a conversation. It lives in a session.
type Chat struct {
	Lang     talk.Lang       `json:"lang"`
	Kept     *Kept           `json:"kept,omitempty"`
	Bookings []hotel.Booking `json:"bookings,omitempty"`
	Lines    []Line          `json:"lines,omitempty"` // the latest ones

	Open       *talk.Question `json:"open,omitempty"`        // what the bot has asked in its last line
	Order      bool           `json:"order,omitempty"`       // whether the guest has said how to read 3/12
	MonthFirst bool           `json:"month_first,omitempty"` // how
}

// IsName reports whether a guest can be called s: 1 to 64 characters of text,
// and no more bytes than the holder of a lock may have. Control and
// bidirectional characters are refused: they change how text around them looks.
func IsName(s string) bool {
	return strings.TrimSpace(s) != "" && utf8.RuneCountInString(s) <= 64 && len(s) <= 255 && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) })
}

// Kept is a hold between two messages: nobody renews it, and whoever has Ref
// can go on with it.
type Kept struct {
	Ref     lock.Ref   `json:"ref"`
	Stay    hotel.Stay `json:"stay"`
	Ordered bool       `json:"ordered,omitempty"` // the stay was ordered, and the PMS's answer is not known
}

// Line is one thing said.
type Line struct {
	Who   string `json:"who"`
	Text  string `json:"text"`
	Trace *Trace `json:"trace,omitempty"` // of an answer
}

const (
	bot         = "bot"
	maxLines    = 20
	maxLine     = 500 // characters
	maxBookings = 50
)

// add remembers what was said. Only the latest is kept, so that a
// conversation has a bounded size.
func (c *Chat) add(lines ...Line) {
	c.Lines = append(c.Lines, lines...)
	c.Lines = c.Lines[max(len(c.Lines)-maxLines, 0):]
}

// question is what a guest has said.
func question(guest, text string) Line {
	text = strings.ToValidUTF8(text, "")
	if utf8.RuneCountInString(text) > maxLine {
		text = string([]rune(text)[:maxLine])
	}
	return Line{Who: guest, Text: text}
}

func (c *Chat) addBooking(b hotel.Booking) {
	c.Bookings = append(c.Bookings, b)
	c.Bookings = c.Bookings[max(len(c.Bookings)-maxBookings, 0):]
}
