// SPDX-License-Identifier: MIT

package desk

import (
	"strings"

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

// Kept is a hold between two messages: nobody renews it, and whoever has Ref
// can go on with it.
type Kept struct {
	Ref  lock.Ref   `json:"ref"`
	Stay hotel.Stay `json:"stay"`
}

// Line is one thing said.
type Line struct {
	Who  string `json:"who"`
	Text string `json:"text"`
}

const (
	bot         = "bot"
	maxLines    = 20
	maxLine     = 500 // bytes
	maxBookings = 50
)

// add remembers what was said. Only the latest is kept, so that a
// conversation has a bounded size.
func (c *Chat) add(guest, question, answer string) {
	question = strings.ToValidUTF8(question[:min(len(question), maxLine)], "")
	c.Lines = append(c.Lines, Line{guest, question}, Line{bot, answer})
	c.Lines = c.Lines[max(len(c.Lines)-maxLines, 0):]
}

func (c *Chat) addBooking(b hotel.Booking) {
	c.Bookings = append(c.Bookings, b)
	c.Bookings = c.Bookings[max(len(c.Bookings)-maxBookings, 0):]
}
