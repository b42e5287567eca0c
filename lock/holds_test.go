// SPDX-License-Identifier: MIT

package lock_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/holdfast-go/holdfast/lock"
)

func TestHoldsListsWhoHoldsWhat(t *testing.T) {
	d := newDesk(t, lock.Config{})
	b := d.take(t, nights("b", 12, 15), lock.Holder("bob"))
	a := d.take(t, nights("a", 12, 15), lock.Holder("ada"))
	late := d.take(t, nights("b", 15, 16))
	wantList(t, "held", d.held(t), a.ID(), b.ID(), late.ID())
	var got []string
	for h, err := range d.Holds(t.Context(), nights("b", 14, 15)) {
		wantErr(t, err)
		got = append(got, h.Holder)
	}
	wantList(t, "holders of the night", got, "bob")
	for range d.Holds(t.Context(), lock.Resource{}) {
		break
	}
}

func TestHoldsEndsWithTheError(t *testing.T) {
	d := newDesk(t, lock.Config{})
	d.store.down.Store(true)
	for _, err := range d.Holds(t.Context(), lock.Key("a")) {
		wantErr(t, err, lock.ErrUnavailable, errDown)
	}
	for _, err := range d.Holds(t.Context(), lock.Key("")) {
		wantErr(t, err, lock.ErrInvalid)
	}
	grouped := newDesk(t, lock.Config{GroupBy: func(name string) string { return name }})
	for _, err := range grouped.Holds(t.Context(), lock.Resource{}) {
		wantErr(t, err, lock.ErrInvalid)
	}
}

func TestForceReleaseEndsWhatAConflictShowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		l := d.take(t, nights("room", 12, 15))
		var shown lock.Hold
		for h := range d.Holds(t.Context(), lock.Key("room")) {
			shown = h
		}
		wantErr(t, d.ForceRelease(t.Context(), shown, lock.Holder("admin")))
		wantErr(t, l.Err(), lock.ErrLost)
		wantErr(t, d.ForceRelease(t.Context(), shown), lock.ErrNotHeld)
		d.take(t, nights("room", 12, 15))
	})
}

func TestForceReleaseRefusesNonsense(t *testing.T) {
	d := newDesk(t, lock.Config{})
	good := lock.Hold{ID: "ABC", Resource: lock.Key("room")}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantErr(t, d.ForceRelease(ctx, good), context.Canceled)
	wantErr(t, d.ForceRelease(t.Context(), lock.Hold{}), lock.ErrInvalid)
	wantErr(t, d.ForceRelease(t.Context(), lock.Hold{ID: "a b", Resource: lock.Key("room")}), lock.ErrInvalid)
	wantErr(t, d.ForceRelease(t.Context(), good, lock.Reason("\x00")), lock.ErrInvalid)
	if n := d.store.calls.Load(); n != 0 {
		t.Errorf("the store was called %d times", n)
	}
	d.store.down.Store(true)
	wantErr(t, d.ForceRelease(t.Context(), good), lock.ErrUnavailable)
}
