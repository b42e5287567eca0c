// SPDX-License-Identifier: MIT

package desk

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/talk"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

func TestMessagesThatNeedMoreAreAskedBack(t *testing.T) {
	for text, want := range map[string]string{
		"book":          "Which nights?",
		"book room 101": "Which nights?",
		"book room 101 from 2026-12-15 to 2026-12-12": "must come after",
		"book room 101 from 2026-11-12 to 2026-11-13": "has passed",
		"book room 101 from 2026-12-01 to 2027-02-01": "longest stay is 30 nights",
		"book room 999 from 2026-12-12 to 2026-12-15": "no room 999",
		"help":  "which rooms are free",
		"ayuda": "habitaciones libres",
		"hi":    "Try",
	} {
		f := newFixture(t)
		if r := f.say(t, text, OK); !strings.Contains(r.Text, want) {
			t.Errorf("%q is answered %q, want %q in it", text, r.Text, want)
		}
		if f.pms.calls != 0 || f.held(t) != 0 {
			t.Errorf("%q: %d PMS calls, %d holds", text, f.pms.calls, f.held(t))
		}
	}
}

func TestThereIsNothingToExtendOrCancelAtFirst(t *testing.T) {
	f := newFixture(t)
	f.say(t, "extend", Refused)
	f.say(t, "cancel", Refused)
	f.say(t, "cancel HF-7K2QP", Refused)
}

func TestCancelEndsTheHoldOrElseTheBooking(t *testing.T) {
	f := newFixture(t)
	r := f.say(t, "book "+stay, OK)
	f.say(t, "hold room 102 from 2026-12-12 to 2026-12-15", OK)
	f.say(t, "cancel", OK)
	if f.held(t) != 0 || len(f.pms.bookings) != 1 {
		t.Fatal("cancel did not end the hold first")
	}
	f.as(t, "ben", "cancel "+r.Booking.Reference, Refused) // not his
	f.say(t, "cancel "+r.Booking.Reference, OK)
	if len(f.pms.bookings) != 0 {
		t.Error("the booking stays")
	}
	f.say(t, "cancel", Refused)
}

func TestWithoutARoomTheFirstFreeOneIsTaken(t *testing.T) {
	f := newFixture(t)
	f.as(t, "ben", "hold "+stay, OK)
	if r := f.say(t, "which rooms are free from 2026-12-12 to 2026-12-15", OK); !strings.HasSuffix(r.Text, ": 102.") {
		t.Errorf("free: %q", r.Text)
	}
	if r := f.say(t, "book from 2026-12-12 to 2026-12-15", OK); r.Booking.Stay.Room != "102" {
		t.Errorf("booked %v", r.Booking)
	}
	f.as(t, "carla", "hold room 102 from 2026-12-14 to 2026-12-15", Refused)
	f.pms.bookings = nil
	f.as(t, "carla", "hold room 102 from 2026-12-14 to 2026-12-15", OK)
	f.say(t, "book from 2026-12-12 to 2026-12-15", Refused)
}

func TestAnotherStayReplacesTheHold(t *testing.T) {
	f := newFixture(t)
	f.say(t, "hold "+stay, OK)
	f.say(t, "hold room 101 from 2026-12-13 to 2026-12-16", OK) // overlaps the guest's own
	r := f.say(t, "hold room 102 from 2026-12-13 to 2026-12-16", OK)
	if !strings.HasSuffix(r.Text, "Your hold on room 101 for the nights of 13, 14 and 15 December 2026 is given up.") {
		t.Errorf("the dropped hold is not mentioned: %q", r.Text)
	}
	if n := f.held(t); n != 1 {
		t.Errorf("%d holds, want the latest only", n)
	}
}

func TestAStayThatIsNotGotDoesNotCostTheEarlierHold(t *testing.T) {
	for name, c := range map[string]struct {
		first string // of ben
		ask   string
		down  bool // the PMS
		want  Outcome
	}{
		"another room, booked":              {"book room 102 from 2026-12-13 to 2026-12-14", "hold room 102 from 2026-12-12 to 2026-12-15", false, Refused},
		"another room, held":                {"hold room 102 from 2026-12-13 to 2026-12-14", "book room 102 from 2026-12-12 to 2026-12-15", false, Refused},
		"other nights of the room, booked":  {"book room 101 from 2026-12-15 to 2026-12-16", "book room 101 from 2026-12-13 to 2026-12-16", false, Refused},
		"other nights of the room, held":    {"hold room 101 from 2026-12-15 to 2026-12-16", "hold room 101 from 2026-12-13 to 2026-12-16", false, Refused},
		"another room, the PMS is down":     {"hello", "book room 102 from 2026-12-12 to 2026-12-15", true, Fallback},
		"other nights, and the PMS is down": {"hello", "book room 101 from 2026-12-13 to 2026-12-16", true, Fallback},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.say(t, "hold "+stay, OK)
			f.as(t, "ben", c.first, OK)
			held := f.held(t)
			if c.down {
				f.pms.fail(errors.New("no answer"))
			}
			r := f.say(t, c.ask, c.want)
			f.pms.fail(nil)
			if !strings.HasSuffix(r.Text, " Your hold on room 101 for the nights of 12, 13 and 14 December 2026 stays.") {
				t.Errorf("answered %q", r.Text)
			}
			if now := f.held(t); now != held {
				t.Errorf("%d holds, and there were %d", now, held)
			}
			if r := f.say(t, "book "+stay, OK); r.Booking == nil || r.Booking.Stay.Room != "101" || r.Booking.Stay.Out.Since(r.Booking.Stay.In) != 3 {
				t.Errorf("afterwards the hold cannot be booked: %q", r.Text)
			}
		})
	}
}

func TestTheKeptStayNeedNotBeNamedAgain(t *testing.T) {
	for _, text := range []string{"book", "book room 101", "book from 2026-12-12", "book " + stay} {
		f := newFixture(t)
		f.say(t, "hold "+stay, OK)
		if r := f.say(t, text, OK); r.Booking == nil || f.held(t) != 0 {
			t.Errorf("%q: %q", text, r.Text)
		}
	}
}

func TestTheLanguageFollowsTheGuest(t *testing.T) {
	f := newFixture(t)
	if r := f.say(t, "guárdame la habitación 101 del 12 al 15 de diciembre", OK); r.Lang != talk.Spanish || !strings.HasPrefix(r.Text, "Le guardo") {
		t.Errorf("Spanish: %q", r.Text)
	}
	if r := f.say(t, "42", Fallback); r.Lang != talk.Spanish {
		t.Errorf("words of no language are answered in %s", r.Lang)
	}
	if r := f.say(t, "extend my hold", OK); r.Lang != talk.English {
		t.Errorf("English: %q", r.Text)
	}
}

func TestANameIsUpTo64CharactersThatShowWhatTheyAre(t *testing.T) {
	for name, want := range map[string]bool{
		"ana": true, "José María": true, strings.Repeat("ñ", 64): true, "田中": true, "👩‍🚀": true,
		"": false, " ": false, strings.Repeat("a", 65): false, "a\x00": false, "a\n": false, "\x1b[1mana": false, "\xff": false,
		"ana\u202enaeb": false, "ana\u200f": false, "\u2066ana": false, strings.Repeat("🏨", 64): false, // more bytes than a holder has
	} {
		if got := IsName(name); got != want {
			t.Errorf("IsName(%q) is %v", name, got)
		}
	}
	f := newFixture(t)
	f.as(t, strings.Repeat("🏨", 63), "hold "+stay, OK)
}

func TestALongMessageIsRememberedUpToItsCharacters(t *testing.T) {
	f := newFixture(t)
	f.say(t, strings.Repeat("ñ", 600), Fallback)
	if lines, err := f.History(t.Context(), "ana"); err != nil || lines[0].Text != strings.Repeat("ñ", 500) {
		t.Errorf("%v, %v", lines, err)
	}
}

func TestTheConversationIsRemembered(t *testing.T) {
	f := newFixture(t)
	for range maxLines {
		f.say(t, "hello", OK)
	}
	lines, err := f.History(t.Context(), "ana")
	if err != nil || len(lines) != maxLines || lines[0].Who != "ana" || lines[1].Who != bot {
		t.Errorf("%d lines, %v: %v", len(lines), err, lines)
	}
}

// nightStore is a store of locks that does not answer while it is broken.
type nightStore struct {
	lock.Store
	broken bool
}

var errStore = errors.New("connection refused")

func (s *nightStore) Acquire(ctx context.Context, c lock.StoreClaim) (none lock.StoreGrant, err error) {
	if s.broken {
		return none, errStore
	}
	return s.Store.Acquire(ctx, c)
}

func (s *nightStore) Extend(ctx context.Context, rs []lock.StoreRenewal) ([]lock.StoreGrant, error) {
	if s.broken {
		return nil, errStore
	}
	return s.Store.Extend(ctx, rs)
}

func (s *nightStore) Holds(ctx context.Context, q lock.StoreQuery) iter.Seq2[lock.Hold, error] {
	if s.broken {
		return func(yield func(lock.Hold, error) bool) { yield(lock.Hold{}, errStore) }
	}
	return s.Store.Holds(ctx, q)
}

func TestNothingIsBookedWhileTheLocksAreUnavailable(t *testing.T) {
	f := newFixture(t)
	f.say(t, "hold "+stay, OK)
	before := f.pms.calls
	f.nights.broken = true
	for _, text := range []string{"book", "extend", "book room 102 from 2026-12-12 to 2026-12-15"} {
		f.say(t, text, Failed)
	}
	if f.pms.calls != before {
		t.Error("the PMS was called without a hold")
	}
	f.say(t, "is "+stay+" free", Failed)
	if n := f.count(t, "nlp_fallbacks_total", "lock_unavailable"); n != 4 {
		t.Errorf("nlp_fallbacks_total{lock_unavailable} is %v, want 4", n)
	}
}

func TestMessagesAtOnceAreHandledOneByOne(t *testing.T) {
	f := newFixture(t)
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			f.Answer(t.Context(), "ana", fmt.Sprintf("hold room 10%d from 2026-12-12 to 2026-12-15", i%2+1))
		})
	}
	wg.Wait()
	if n := f.held(t); n != 1 {
		t.Errorf("%d holds of one guest: some message did not know of another's", n)
	}
	f.say(t, "cancel", OK)
	if n := f.held(t); n != 0 {
		t.Errorf("%d holds that the guest cannot cancel", n)
	}
}

// brokenSessions are sessions whose store does not answer.
type brokenSessions struct{ session.Store }

func (brokenSessions) Create(context.Context, session.StoreWrite) (session.StoreReply, error) {
	return session.StoreReply{}, errors.New("connection refused")
}

func TestAGuestIsAnsweredWhileTheSessionsAreUnavailable(t *testing.T) {
	f := newFixture(t)
	chats, err := session.New(brokenSessions{memsession.New()}, session.Config[Chat]{Name: "chats"})
	if err != nil {
		t.Fatal(err)
	}
	f.Chats = chats
	r := f.say(t, "reservar la habitación 101 del 2026-12-12 al 2026-12-15", Failed)
	if r.Lang != talk.Spanish || !errors.Is(r.Err, session.ErrUnavailable) || f.pms.calls != 0 {
		t.Errorf("answered in %s with %v after %d PMS calls", r.Lang, r.Err, f.pms.calls)
	}
	if n := f.count(t, "nlp_fallbacks_total", "session_unavailable"); n != 1 {
		t.Errorf("nlp_fallbacks_total{session_unavailable} is %v, want 1", n)
	}
}

func TestARushWaitsForAPlaceAndNoLongerThanTheGuest(t *testing.T) {
	f := newFixture(t)
	f.Places = make(chan struct{}, 1)
	f.Places <- struct{}{} // another guest is being served
	ctx, leave := context.WithCancel(t.Context())
	leave()
	if r := f.Answer(ctx, "ana", "hello"); r.Outcome != Failed || !errors.Is(r.Err, context.Canceled) {
		t.Errorf("a guest who left is answered %s, %v", r.Outcome, r.Err)
	}
	answered := make(chan Reply)
	go func() { answered <- f.Answer(t.Context(), "ana", "hello") }()
	<-f.Places
	if r := <-answered; r.Outcome != OK {
		t.Errorf("the next guest is answered %s, %v", r.Outcome, r.Err)
	}
}
