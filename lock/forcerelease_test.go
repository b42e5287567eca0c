// SPDX-License-Identifier: MIT

package lock_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/holdfast-go/holdfast/lock"
)

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
	wantErr(t, d.ForceRelease(t.Context(), lock.Hold{Resource: lock.Key("room")}), lock.ErrInvalid)
	wantErr(t, d.ForceRelease(t.Context(), good, lock.Reason("\x00")), lock.ErrInvalid)
	if n := d.store.calls.Load(); n != 0 {
		t.Errorf("the store was called %d times", n)
	}
	d.store.down.Store(true)
	wantErr(t, d.ForceRelease(t.Context(), good), lock.ErrUnavailable)
}
