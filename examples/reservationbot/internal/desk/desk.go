// SPDX-License-Identifier: MIT

// Package desk is the bot's orchestrator: message → intent → action.
//
//	guest ──text──▶ Desk ──▶ talk.Detect        what does the guest want?
//	                  │────▶ session.Manager    what did we talk about?
//	                  │────▶ lock.Manager       whose nights are these?
//	                  │────▶ breaker ──▶ PMS    book them
//	                  └────▶ audit.Recorder     and say who did what
//
// A booking holds its nights first, asks the PMS whether they are free, books
// with the fence of the hold, and lets go. When the PMS does not answer, or
// the breaker says that it will not, the guest reads that and keeps the hold:
// "book" a little later finishes what was begun. Who never comes back is
// followed up when the conversation expires: see [Desk.FollowUp].
//
// The answer to an order can get lost, after the PMS has booked. So each order is
// noted before it is sent, and what lets go of its hold withdraws it: see
// [Desk.Settle]. A guest is given a booking after the trail has stored it, and then
// the conversation, which other pages of the guest show.
package desk

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/talk"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/session"
)

// PMS is the hotel's property management system. Every call goes through the
// breaker.
type PMS interface {
	Free(ctx context.Context, in, out hotel.Date) (rooms []string, err error)
	Bookings(ctx context.Context, s hotel.Stay, fence uint64) ([]hotel.Booking, error)
	BookingsOf(ctx context.Context, guest string) ([]hotel.Booking, error)
	Book(ctx context.Context, o hotel.Order) (hotel.Booking, error)
	Withdraw(ctx context.Context, key string) error // the order is not booked, and will not be
	Cancel(ctx context.Context, reference string) error
}

// Desk answers guests. Fill in all fields before the first message, then do
// not change them. Safe for concurrent use.
type Desk struct {
	PMS     PMS
	Locks   *lock.Manager
	Chats   *session.Manager[Chat]
	Orders  *session.Manager[hotel.Order] // that were sent and are not settled; its OnExpire is Settle
	Breaker *circuitbreaker.Breaker
	Audit   audit.Recorder
	Flush   func(context.Context) error // waits until what was recorded is stored; nil = Record does
	Metrics *Metrics

	Rooms      []string
	Today      func() hotel.Date
	HoldFor    time.Duration      // how long a hold lasts, and how much an extension gives
	NoLocks    bool               // no guest's hold keeps another out: the control that shows what locks are for
	PMSTimeout time.Duration      // of one call
	Think      time.Duration      // between asking and booking, as a person would
	Asking     func(guest string) // is called before nights are locked; nil = is not
	Places     chan struct{}      // as many messages are handled at once as it has room for; others wait
}

// Outcome is how a message was answered.
type Outcome string

const (
	OK       Outcome = "ok"
	Refused  Outcome = "refused"  // another guest has the nights, or the limit is reached
	Fallback Outcome = "fallback" // the PMS is unreachable, or the message was not understood
	Failed   Outcome = "error"    // our own fault; Reply.Err says what
)

// Reply is the answer to one message.
type Reply struct {
	Text    string
	Lang    talk.Lang
	Intent  talk.Intent
	Outcome Outcome
	Stay    hotel.Stay     // that was booked, held or refused
	Hold    *lock.Hold     // whose hold is in the way
	Booking *hotel.Booking // that was made, or that is in the way
	Trace   Trace          // how it came about
	Err     error
}

// Answer handles one message of a guest. It always has an answer, whatever is
// out of order; ctx bounds how long it looks for a better one.
func (d *Desk) Answer(ctx context.Context, guest, text string) Reply {
	start := time.Now()
	t := &turn{Desk: d, guest: guest, request: talk.Detect(text, d.Today())}
	ctx, t.trace = withTrace(ctx)
	reply := d.admit(ctx, t, text)
	reply.Trace = t.trace.read(reply, d.Breaker.State())
	d.Metrics.answered(reply, time.Since(start))
	return reply
}

// admit bounds how much is under way at a time. A rush then waits here, where
// waiting costs nothing, and what has begun still ends within its time limits.
func (d *Desk) admit(ctx context.Context, t *turn, text string) Reply {
	select {
	case d.Places <- struct{}{}:
		defer func() { <-d.Places }()
		return d.converse(ctx, t, text)
	case <-ctx.Done():
		t.speak(Chat{})
		t.trouble("rush", context.Cause(ctx))
		return t.reply
	}
}

// converse answers within the guest's conversation: one message at a time,
// whichever process it reaches. A session store that is out of order costs
// the answer, or only the memory of it.
func (d *Desk) converse(ctx context.Context, t *turn, text string) Reply {
	err := d.Chats.Converse(ctx, conversation(t.guest), Chat{Lang: talk.English}, func(ctx context.Context, s *session.Session[Chat]) error {
		t.speak(s.Data)
		t.act(ctx)
		t.chat.Lines = latest(maxLines, t.chat.Lines, question(t.guest, text), t.answer())
		s.Data = t.chat
		return nil
	})
	switch {
	case err == nil:
		t.tidy(ctx)
	case t.reply.Text == "":
		t.speak(Chat{})
		t.trouble("session_unavailable", err)
	case t.reply.Outcome == OK && t.reply.Booking != nil: // Settle gives it to the guest, or withdraws it
		t.reply.Booking = nil
		t.trouble("session_unavailable", err)
		t.say(Failed, talk.Text.InDoubt)
	default:
		t.reply.Err = errors.Join(t.reply.Err, err)
	}
	return t.reply
}

// History returns the latest lines of the guest's conversation, if there is
// one.
func (d *Desk) History(ctx context.Context, guest string) ([]Line, error) {
	s, err := d.Chats.Peek(ctx, conversation(guest).ID())
	if errors.Is(err, session.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return s.Data.Lines, nil
}

// SessionOf returns the id of the guest's conversation.
func SessionOf(guest string) session.ID { return conversation(guest).ID() }

func conversation(guest string) session.Conversation {
	return session.Conversation{Channel: "web", Peer: guest}
}
