// SPDX-License-Identifier: MIT

package desk

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

// abandoning makes conversations end before their holds do, and the cleanup
// come every minute.
func abandoning(t *testing.T) fixture {
	f := newFixture(t)
	chats, err := session.New(memsession.New(), session.Config[Chat]{
		Name: "chats", IdleTimeout: 2 * time.Minute, CleanupInterval: time.Minute, CleanupJitter: -1, OnExpire: f.FollowUp,
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Chats = chats
	chats.Start()
	t.Cleanup(func() { _ = chats.Stop(context.Background()) })
	return f
}

// abandoned are the guests and reasons of the trail's events about it.
func (f fixture) abandoned() (all []string) {
	for _, e := range f.trail.Events() {
		if e.Type == "booking.abandoned" {
			all = append(all, e.Actor.ID+" "+e.Reason)
		}
	}
	return all
}

func TestAnAbandonedBookingIsFollowedUpAndItsHoldReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := abandoning(t)
		f.say(t, "hold "+stay, OK)
		time.Sleep(110 * time.Second)
		f.say(t, "hello", OK) // still there
		f.as(t, "ben", "book "+stay, Refused)
		time.Sleep(110 * time.Second)
		if f.held(t) != 1 || f.abandoned() != nil {
			t.Fatal("the hold was released while the guest was there")
		}
		time.Sleep(70 * time.Second) // 290 s: the hold would last for 10 s more
		if f.held(t) != 0 {
			t.Error("the hold of an abandoned conversation lasts")
		}
		if got := f.abandoned(); !slices.Equal(got, []string{"ana idle"}) {
			t.Errorf("the trail says %q, want ana idle", got)
		}
		f.as(t, "ben", "book "+stay, OK)
	})
}

func TestAFinishedOrForgottenBookingIsNotFollowedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := abandoning(t)
		f.say(t, "book "+stay, OK)
		f.as(t, "ben", "hold room 102 from 2026-12-12 to 2026-12-15", OK)
		f.as(t, "ben", "cancel", OK)
		f.as(t, "carla", "hello", OK)
		time.Sleep(10 * time.Minute)
		if got := f.abandoned(); got != nil {
			t.Errorf("the trail says %q, want nothing", got)
		}
	})
}

// The follow-up fails half-way and is repeated: the trail says it once, and
// the nights are free in the end.
func TestAFollowUpThatIsRepeatedHappensOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := abandoning(t)
		f.say(t, "hold "+stay, OK)
		f.nights.broken = true
		if err := f.Chats.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
		if _, err := f.Chats.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.nights.broken = false
		if got := f.abandoned(); len(got) != 1 || f.held(t) != 1 {
			t.Fatalf("after a follow-up without locks: %q, %d held", got, f.held(t))
		}
		time.Sleep(time.Minute)
		if r, err := f.Chats.Sweep(t.Context()); err != nil || r.Ended[session.ReasonIdle] != 1 {
			t.Fatalf("swept %+v, %v", r, err)
		}
		if got := f.abandoned(); len(got) != 1 || f.held(t) != 0 {
			t.Errorf("after it was repeated: %q, %d held", got, f.held(t))
		}
	})
}

func TestAFollowUpWithoutATrailIsTriedAgain(t *testing.T) {
	f := newFixture(t)
	f.say(t, "hold "+stay, OK)
	s, err := f.Chats.Peek(t.Context(), conversation("ana").ID())
	if err != nil {
		t.Fatal(err)
	}
	f.Audit = deafTrail{}
	if err := f.FollowUp(t.Context(), session.Expired[Chat]{Data: s.Data, Conversation: s.Conversation}); !errors.Is(err, audit.ErrFull) || f.held(t) != 1 {
		t.Errorf("%v, %d held, want ErrFull and the hold for the next time", err, f.held(t))
	}
}

// deafTrail takes nothing.
type deafTrail struct{}

func (deafTrail) Record(context.Context, audit.Event) error { return audit.ErrFull }
