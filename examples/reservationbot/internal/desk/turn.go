// SPDX-License-Identifier: MIT

package desk

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/talk"
	"github.com/holdfast-go/holdfast/lock"
)

// turn is one message and its answer.
type turn struct {
	*Desk
	guest   string
	request talk.Request
	chat    Chat
	reply   Reply
	trace   *tracer
	earlier *Kept    // the hold that another is to replace
	ordered string   // key of the order that was sent and not answered
	settled []string // keys of the orders whose outcome the conversation has
}

// speak takes up the conversation, in the language of the message or, when
// its words do not tell, in that of the conversation.
func (t *turn) speak(c Chat) {
	t.chat = c
	t.chat.Lang = cmp.Or(t.request.Lang, c.Lang, talk.English)
	t.reply = Reply{Lang: t.chat.Lang, Intent: t.request.Intent}
}

// act does what the guest has clearly asked for, and asks about the rest.
func (t *turn) act(ctx context.Context) {
	open, kept := t.chat.Open, t.chat.Kept
	t.chat.Open = nil
	defer t.mention(kept)
	t.understand(open)
	switch t.request.Intent {
	case talk.Book:
		if t.agreed() {
			t.book(ctx)
		}
	case talk.Hold:
		if t.agreed() {
			t.hold(ctx)
		}
	case talk.Extend:
		t.extend(ctx)
	case talk.Cancel:
		if !t.recall(ctx) {
			return
		}
		if one, ok := t.toCancel(open); ok {
			t.cancel(ctx, one)
		}
	case talk.Availability:
		t.availability(ctx)
	case talk.List:
		if t.recall(ctx) {
			t.list()
		}
	case talk.House:
		t.say(OK, talk.Text.OnlyRooms)
	case talk.Yes:
		t.yes()
	case talk.No:
		t.say(OK, talk.Text.AllRight)
	case talk.Help:
		t.say(OK, talk.Text.Helping, t.example()...)
	default:
		t.unknown(open)
	}
}

func (t *turn) say(o Outcome, m talk.Message, args ...any) {
	t.reply.Outcome = o
	t.reply.Text = talk.Say(t.chat.Lang, m, args...)
}

// trouble answers when a part of our own is out of order.
func (t *turn) trouble(reason string, err error) {
	t.Metrics.fellBack(reason)
	t.reply.Err = err
	t.say(Failed, talk.Text.Trouble)
}

// lockTrouble answers when the locks did not do what was asked.
func (t *turn) lockTrouble(err error) {
	reason := "lock_error"
	if errors.Is(err, lock.ErrUnavailable) {
		reason = "lock_unavailable"
	}
	t.trouble(reason, err)
}

// left is how long a hold lasts from now on.
func left(h *lock.Lease) time.Duration { return time.Until(h.Deadline()) }

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

// Kept is a hold between two messages: no process renews it, and a process that has Ref
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
	Trace *Trace `json:"trace,omitempty"` // of an answer; nil for what a guest said
}

const (
	bot         = "bot"
	maxLines    = 20
	maxLine     = 500 // characters
	maxBookings = 50
)

// latest adds to a list and keeps the n latest, so that a conversation has a bounded
// size.
func latest[T any](n int, list []T, more ...T) []T {
	list = append(list, more...)
	return list[max(len(list)-n, 0):]
}

// answer is what the bot says.
func (t *turn) answer() Line {
	how := t.trace.read(t.reply, t.Breaker.State())
	return Line{bot, t.reply.Text, &how}
}

// question is what a guest has said.
func question(guest, text string) Line {
	text = strings.ToValidUTF8(text, "")
	if utf8.RuneCountInString(text) > maxLine {
		text = string([]rune(text)[:maxLine])
	}
	return Line{Who: guest, Text: text}
}
