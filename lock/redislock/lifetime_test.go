// SPDX-License-Identifier: MIT

package redislock

import (
	"fmt"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

// wantEnds checks that each key of the group has an end.
func (r *rig) wantEnds() {
	r.Helper()
	for i, key := range r.keys("rooms", "hotel") {
		if r.client.PTTL(r.Context(), key).Val() == -1 {
			r.Errorf("key %s lives for ever", letters[i])
		}
	}
}

// The claim takes the slot of a hold that its sweep did not come to, the last in x.
func TestAKeyThatIsTakenBeforeItsSweepLeavesTheGroupItsEnd(t *testing.T) {
	everywhere(t, func(r *rig) {
		for i := range 65 {
			r.take(lock.Key(fmt.Sprint("room", i)), 300*time.Millisecond)
		}
		r.pass(300 * time.Millisecond)
		last := r.client.ZRange(r.Context(), r.keys("rooms", "hotel")[2], -1, -1).Val()[0]
		r.take(lock.Key(last[1:]), 300*time.Millisecond)
		r.wantEnds()
		r.pass(300 * time.Millisecond)
		r.wantEnds()
		if n := len(r.sweep()); n != 66 {
			r.Errorf("%d expired, want 66", n)
		}
	})
}

// The grant of the third drops its inbox, since the first was not confirmed, and with
// it all that the queue had.
func TestAQueueThatIsEmptyForAMomentKeepsItsEnd(t *testing.T) {
	everywhere(t, func(r *rig) {
		held, _ := r.take(lock.Key("room"), time.Hour)
		var waits [3]lock.StoreClaim
		for i := range waits {
			waits[i] = r.claim(lock.Key("room"), time.Hour)
			r.from("=A", waits[i], time.Now().Add(time.Hour))
		}
		r.release(held.StoreTicket)
		time.Sleep(1500 * time.Millisecond) // a ping keeps the inbox from lapsing before the grant does
		if _, err := r.caller.Run(r.Context(), pingScript, r.keys("rooms", "hotel"), "=A"); err != nil {
			r.Fatal(err)
		}
		time.Sleep(600 * time.Millisecond) // the grant has lapsed
		r.release(waits[1].StoreTicket)
		if got := r.holder("room"); got != waits[2].ID {
			r.Fatalf("the room is of %q, want the last who waits", got)
		}
		r.wantEnds()
	})
}

func TestALateCopyOfTheClaimOfAKeptHoldLeavesTheGroupItsEnd(t *testing.T) {
	virtual(t, func(r *rig) {
		c := r.claim(lock.Key("room"), 10*time.Second)
		c.KeepAtLeast = 8 * time.Second
		c.Fence = r.ask(c).Hold.Fence
		r.release(c.StoreTicket)
		time.Sleep(6 * time.Second) // longer than the release is remembered
		r.sweep()
		time.Sleep(3 * time.Second)
		if g := r.ask(c); g.Status != lock.StatusMissing {
			r.Errorf("status %d, want missing", g.Status)
		}
		r.wantEnds()
	})
}

func TestAnExpiredHoldIsListedAsLongAsItsRecordIsKept(t *testing.T) {
	virtual(t, func(r *rig) {
		for _, res := range []lock.Resource{lock.Key("room"), lock.Span("suite", 1, 2)} {
			r.take(res, time.Second)
		}
		time.Sleep(2 * time.Second)
		r.sweep()
		for range 10 * 24 { // a busy group in which nothing expires
			time.Sleep(time.Hour)
			c, g := r.take(lock.Key("other"), 2*time.Hour)
			c.Until = g.Hold.ExpiresAt
			r.release(c.StoreTicket)
		}
		if n := len(r.sweep()); n != 2 {
			r.Errorf("%d expired, want both", n)
		}
	})
}

// The one who waits for a room had a hold before, which expired and is not recorded
// yet, and the server refuses to publish what the release grants.
func TestARefusedGrantLeavesNoRecordBehind(t *testing.T) {
	t.Parallel()
	r := newRig(t, limited(t, "&*", "+@all", "-publish"))
	r.take(lock.Key("elsewhere"), time.Hour)
	waits := r.claim(lock.Key("room"), time.Hour)
	r.from("=A", waits, time.Now().Add(time.Hour)) // granted for two seconds
	r.pass(2 * time.Second)
	r.sweep()
	held, g := r.take(lock.Key("room"), time.Hour)
	r.from("=A", waits, time.Now().Add(time.Hour))
	held.Until, held.Fence = g.Hold.ExpiresAt, g.Hold.Fence
	r.release(held.StoreTicket)
	recorded := r.client.ZScore(t.Context(), r.keys("rooms", "hotel")[3], waits.ID).Err() == nil
	if record := r.field(waits.ID); record != "" && !recorded {
		t.Errorf("the ledger has %q, which no one will record", record)
	}
}
