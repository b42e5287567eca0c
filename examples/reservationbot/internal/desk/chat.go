// SPDX-License-Identifier: MIT

package desk

import (
	"strings"
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
}

// IsName reports whether a guest can be called s: 1 to 64 bytes of text.
func IsName(s string) bool {
	return strings.TrimSpace(s) != "" && len(s) <= 64 && utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}

// Kept is a hold between two messages: nobody renews it, and whoever has Ref
// can go on with it.
type Kept struct {
	Ref  lock.Ref   `json:"ref"`
	Stay hotel.Stay `json:"stay"`
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
	maxLine     = 500 // bytes
	maxBookings = 50
)

// add remembers what was said. Only the latest is kept, so that a
// conversation has a bounded size.
func (c *Chat) add(guest, question, answer string, how Trace) {
	question = strings.ToValidUTF8(question[:min(len(question), maxLine)], "")
	c.Lines = append(c.Lines, Line{Who: guest, Text: question}, Line{bot, answer, &how})
	c.Lines = c.Lines[max(len(c.Lines)-maxLines, 0):]
}

func (c *Chat) addBooking(b hotel.Booking) {
	c.Bookings = append(c.Bookings, b)
	c.Bookings = c.Bookings[max(len(c.Bookings)-maxBookings, 0):]
}
