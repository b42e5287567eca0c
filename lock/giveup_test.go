// SPDX-License-Identifier: MIT

package lock_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

// callsWhileDown makes a hundred calls a second to a store that is down.
func callsWhileDown(t *testing.T, d *desk, seconds int) {
	t.Helper()
	d.store.down.Store(true)
	for range 100 * seconds {
		_, err := d.TryAcquire(t.Context(), lock.Key("room"))
		wantErr(t, err, lock.ErrUnavailable)
		time.Sleep(10 * time.Millisecond)
	}
}

func TestWhatIsToBeGivenBackIsThatOfAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		callsWhileDown(t, d, 200)
		if n := d.GivingBack(); n > 62*100 {
			t.Errorf("%d claims wait to be given back, more than were made in a minute", n)
		}
		d.store.down.Store(false)
		time.Sleep(time.Minute)
		if n := d.GivingBack(); n > 0 {
			t.Errorf("%d claims are left when the store is back", n)
		}
	})
}

func TestClosingTakesSecondsHoweverMuchIsToBeGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		callsWhileDown(t, d, 30)
		d.store.hang.Store(true)
		start := time.Now()
		wantErr(t, d.Close(context.Background()))
		if took := time.Since(start); took > 11*time.Second {
			t.Errorf("it took %s, want no more than two tries of 5 s", took)
		}
	})
}
