// SPDX-License-Identifier: MIT

package desk

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

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
}

// speak takes up the conversation, in the language of the message or, when
// its words do not tell, in that of the conversation.
func (t *turn) speak(c Chat) {
	t.chat = c
	t.chat.Lang = cmp.Or(t.request.Lang, c.Lang, talk.English)
	t.reply = Reply{Lang: t.chat.Lang, Intent: t.request.Intent}
}

func (t *turn) act(ctx context.Context) {
	switch t.request.Intent {
	case talk.Book:
		t.book(ctx)
	case talk.Hold:
		t.hold(ctx)
	case talk.Extend:
		t.extend(ctx)
	case talk.Cancel:
		t.cancel(ctx)
	case talk.Availability:
		t.availability(ctx)
	case talk.Help:
		t.say(OK, talk.Helping)
	default:
		t.Metrics.fellBack("unknown_intent")
		t.say(Fallback, talk.NotUnderstood)
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
	t.say(Failed, talk.Trouble)
}

// lockTrouble answers when the locks did not do what was asked.
func (t *turn) lockTrouble(err error) {
	reason := "lock_error"
	if errors.Is(err, lock.ErrUnavailable) {
		reason = "lock_unavailable"
	}
	t.trouble(reason, err)
}

const maxNights = 30

// wanted returns the stay that the guest asks for, or says what is wrong with
// it. The room may be empty: any will do.
func (t *turn) wanted() (s hotel.Stay, ok bool) {
	s = hotel.Stay{Room: t.request.Room, In: t.request.In, Out: t.request.Out}
	switch {
	case s.Room != "" && !slices.Contains(t.Rooms, s.Room):
		t.say(OK, talk.NoSuchRoom, s.Room)
	case s.In.IsZero() || s.Out.IsZero():
		t.say(OK, talk.NeedDates)
	case !s.In.Before(s.Out):
		t.say(OK, talk.WrongDates)
	case s.In.Before(t.Today()):
		t.say(OK, talk.PastDates)
	case s.Out.Since(s.In) > maxNights:
		t.say(OK, talk.TooLong, strconv.Itoa(maxNights))
	default:
		return s, true
	}
	return hotel.Stay{}, false
}

// left is how long a hold lasts from now on.
func left(h Hold) time.Duration { return time.Until(h.Deadline()) }
