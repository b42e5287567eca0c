// SPDX-License-Identifier: MIT

package desk

import (
	"cmp"
	"context"
	"errors"
	"time"

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
		t.say(OK, talk.OnlyRooms)
	case talk.Yes:
		t.yes()
	case talk.No:
		t.say(OK, talk.AllRight)
	case talk.Help:
		t.say(OK, talk.Helping)
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

// left is how long a hold lasts from now on.
func left(h Hold) time.Duration { return time.Until(h.Deadline()) }
