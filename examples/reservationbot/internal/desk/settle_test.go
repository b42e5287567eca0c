// SPDX-License-Identifier: MIT

package desk

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/talk"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

// settling has orders settled as the bot does.
func settling(t *testing.T) fixture {
	f := abandoning(t)
	orders, err := session.New(memsession.New(), session.Config[hotel.Order]{
		Name: "orders", IdleTimeout: 15 * time.Second, CleanupInterval: 5 * time.Second, OnExpire: f.Settle,
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Orders = orders
	orders.Start()
	t.Cleanup(func() { _ = orders.Stop(context.Background()) })
	return f
}

// lost has ana book a stay of which she gets no answer.
func (f fixture) lost(t *testing.T) {
	t.Helper()
	f.pms.mute = true
	f.say(t, "book "+stay, Fallback)
	f.pms.mute = false
	if len(f.pms.booked()) != 1 {
		t.Fatal("the PMS has not booked")
	}
}

// events counts the trail's events of a type.
func (f fixture) events(kind string) (n int) {
	for _, e := range f.trail.Events() {
		if e.Type == kind {
			n++
		}
	}
	return n
}

func TestWhatLetsGoOfAnUncertainOrderWithdrawsItAtOnce(t *testing.T) {
	for name, letGo := range map[string]func(t *testing.T, f fixture){
		"cancel":         func(t *testing.T, f fixture) { f.say(t, "cancel", OK) },
		"another room":   func(t *testing.T, f fixture) { f.say(t, "hold room 102 from 2026-12-12 to 2026-12-15", OK) },
		"other nights":   func(t *testing.T, f fixture) { f.say(t, "hold room 101 from 2026-12-14 to 2026-12-17", OK) },
		"the hold ended": func(t *testing.T, f fixture) { time.Sleep(6 * time.Minute); f.say(t, "book", Refused) },
		"a later lease": func(t *testing.T, f fixture) {
			f.pms.meddle = func(*hotel.Order) { f.pms.stale = true }
			f.pms.bookings[0].Stay = hotel.Stay{} // not listed, as if it came later
			f.say(t, "book", Refused)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				f.lost(t)
				letGo(t, f)
				if len(f.pms.booked()) != 0 || f.events("booking.withdrawn") != 1 {
					t.Errorf("the PMS keeps %v; %d withdrawn in the trail", f.pms.booked(), f.events("booking.withdrawn"))
				}
			})
		})
	}
}

func TestAGuestWhoAsksAgainGetsTheBookingWhoseAnswerWasLost(t *testing.T) {
	f := newFixture(t)
	f.lost(t)
	f.pms.mute = true // the booking is listed: no second order is needed
	if r := f.say(t, "book", OK); r.Booking == nil || r.Booking.Reference != f.pms.booked()[0].Reference || f.held(t) != 0 {
		t.Errorf("answered %q, %d held", r.Text, f.held(t))
	}
}

func TestAGuestWhoWaitsGetsTheBookingWhoseAnswerWasLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := settling(t)
		f.lost(t)
		time.Sleep(30 * time.Second)
		lines, err := f.History(t.Context(), "ana")
		if err != nil || !strings.Contains(lines[len(lines)-1].Text, f.pms.booked()[0].Reference) {
			t.Errorf("%v: %v", err, lines)
		}
		if how := lines[len(lines)-1].Trace; how == nil || how.Intent != talk.Book || how.Calls == 0 {
			t.Errorf("the line is taken for one of the guest, or does not say how it came about: %+v", how)
		}
		if f.held(t) != 0 || f.events("booking.confirmed") != 1 {
			t.Errorf("%d held, %d confirmed", f.held(t), f.events("booking.confirmed"))
		}
		time.Sleep(time.Minute)
		f.say(t, "cancel "+f.pms.booked()[0].Reference, OK)
	})
}

func TestAnOrderIsWithdrawnOnceThePMSIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := settling(t)
		f.lost(t)
		f.pms.fail(errors.New("out of order"))
		if r := f.say(t, "cancel", OK); !strings.Contains(r.Text, "I cancel that as soon as it answers") {
			t.Errorf("answered %q", r.Text)
		}
		time.Sleep(20 * time.Minute) // longer than the attempts of a cleanup
		if len(f.pms.booked()) != 1 {
			t.Fatal("a PMS that is out of order has cancelled")
		}
		f.pms.fail(nil)
		time.Sleep(2 * time.Minute) // of which the breaker waits one
		if len(f.pms.booked()) != 0 {
			t.Error("the PMS keeps a booking that its guest has cancelled")
		}
	})
}

func TestABookingThatIsToBeWithdrawnIsNotGivenBackByAQuestion(t *testing.T) {
	for text, want := range map[string]Outcome{"what have I booked?": OK, "cancel": Refused, "book " + stay: OK} {
		f := newFixture(t)
		f.lost(t)
		ghost := f.pms.booked()[0].Key
		f.pms.fail(errors.New("out of order"))
		f.say(t, "cancel", OK)
		f.pms.fail(nil)
		f.say(t, text, want)
		if slices.ContainsFunc(f.pms.booked(), func(b hotel.Booking) bool { return b.Key == ghost }) {
			t.Errorf("%q leaves %v", text, f.pms.booked())
		}
	}
}

func TestAGuestWhoGoesAwayLeavesNoBookingBehind(t *testing.T) {
	for name, leave := range map[string]func(t *testing.T, f fixture){
		"the conversation was deleted": func(t *testing.T, f fixture) {
			f.lost(t)
			if err := f.Chats.Delete(t.Context(), SessionOf("ana")); err != nil {
				t.Error(err)
			}
		},
		"the conversation cannot be saved": func(t *testing.T, f fixture) {
			f.pms.meddle = func(*hotel.Order) { _ = f.Chats.Delete(t.Context(), SessionOf("ana")) }
			if r := f.Answer(t.Context(), "ana", "book "+stay); r.Outcome != Failed || r.Booking != nil || !strings.Contains(r.Text, "I do not know") {
				t.Errorf("answered %q", r.Text)
			}
		},
		"the process died before the PMS answered": func(t *testing.T, f fixture) {
			f.pms.die = true
			over := make(chan struct{})
			go func() {
				defer close(over)
				f.Answer(t.Context(), "ana", "book "+stay)
			}()
			<-over
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := settling(t)
				leave(t, f)
				if len(f.pms.booked()) != 1 {
					t.Fatal("the PMS has not booked")
				}
				time.Sleep(time.Minute)
				if len(f.pms.booked()) != 0 {
					t.Errorf("after a minute the PMS keeps %v", f.pms.booked())
				}
			})
		})
	}
}

func TestAKnownBookingStaysWhenItsNoteDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := settling(t)
		f.say(t, "book "+stay, OK)
		if err := f.note(t.Context(), f.pms.booked()[0].Order); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if len(f.pms.booked()) != 1 || f.events("booking.withdrawn") != 0 {
			t.Error("a booking that its guest knows was withdrawn")
		}
	})
}

// A process can die in the middle. Until then the order is claimed by it alone.
func TestAnOrderStaysNotedUntilItIsSettled(t *testing.T) {
	f := newFixture(t)
	f.lost(t)
	order := f.pms.booked()[0].Order
	isNoted := func() bool {
		_, err := f.Orders.Peek(t.Context(), noteOf(order.Key).ID())
		return err == nil
	}
	if err := errors.Join(f.Chats.Delete(t.Context(), SessionOf("ana")), f.Orders.Delete(t.Context(), noteOf(order.Key).ID())); err != nil {
		t.Fatal(err)
	}
	noted := false
	f.pms.meddle = func(*hotel.Order) { noted = isNoted() }
	if err := f.Settle(t.Context(), session.Expired[hotel.Order]{Data: order}); err != nil || len(f.pms.booked()) != 0 {
		t.Fatalf("%v; the PMS keeps %v", err, f.pms.booked())
	}
	if !noted || isNoted() {
		t.Errorf("noted while it is withdrawn: %t, and after: %t", noted, isNoted())
	}
}

func TestABookingThatItsGuestKnowsIsNotWithdrawnForANoteThatIsLeft(t *testing.T) {
	f := newFixture(t)
	f.say(t, "book "+stay, OK)
	if err := f.note(t.Context(), f.pms.booked()[0].Order); err != nil {
		t.Fatal(err)
	}
	f.say(t, "book "+stay, Refused)
	if len(f.pms.booked()) != 1 || f.events("booking.withdrawn") != 0 {
		t.Errorf("the PMS has %v, %d withdrawn", f.pms.booked(), f.events("booking.withdrawn"))
	}
}

func TestABookingIsFoundAtThePMSByItsGuestWhenTheConversationIsGone(t *testing.T) {
	for _, text := range []string{"cancel", "cancel HF-FAKE0"} {
		f := newFixture(t)
		f.say(t, "book "+stay, OK)
		if err := f.Chats.Delete(t.Context(), SessionOf("ana")); err != nil {
			t.Fatal(err)
		}
		f.as(t, "ben", text, Refused)
		f.say(t, text, OK)
		if len(f.pms.booked()) != 0 {
			t.Errorf("%q leaves %v", text, f.pms.booked())
		}
	}
}

// stored is a trail whose database has what was flushed.
type stored struct {
	audit.Recorder
	desk             *Desk
	waiting, written []string
	said             []Line // to ana when the latest Flush began
}

func (s *stored) Record(_ context.Context, e audit.Event) error {
	s.waiting = append(s.waiting, e.Type)
	return nil
}

func (s *stored) Flush(ctx context.Context) (err error) {
	s.written, s.waiting = append(s.written, s.waiting...), nil
	s.said, err = s.desk.History(ctx, "ana")
	return err
}

func TestAGuestHearsOfABookingThatTheTrailHasStored(t *testing.T) {
	f := newFixture(t)
	trail := &stored{desk: f.Desk}
	f.Audit, f.Flush = trail, trail.Flush
	f.say(t, "book "+stay, OK)
	if !slices.Contains(trail.written, "booking.confirmed") {
		t.Errorf("stored: %q, waiting: %q", trail.written, trail.waiting)
	}
	if len(trail.said) != 0 {
		t.Errorf("before that, the guest's other pages showed %v", trail.said)
	}
}

func TestABookingThatIsSettledIsStoredInTheTrail(t *testing.T) {
	f := newFixture(t)
	f.lost(t)
	trail := &stored{desk: f.Desk}
	f.Audit, f.Flush = trail, trail.Flush
	if err := f.Settle(t.Context(), session.Expired[hotel.Order]{Data: f.pms.booked()[0].Order}); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(trail.written, "booking.confirmed") {
		t.Errorf("stored: %q, waiting: %q", trail.written, trail.waiting)
	}
}
