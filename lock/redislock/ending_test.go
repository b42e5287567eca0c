// SPDX-License-Identifier: MIT

package redislock

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
)

// from sends a claim of a key as a process with an inbox does that never listens.
func (r *rig) from(inbox string, c lock.StoreClaim, latest time.Time) lock.StoreGrant {
	r.Helper()
	parts := slices.Collect(c.Resource.Parts())
	kind := digit(parts[0])
	if len(parts) == 1 {
		kind = sole
	}
	args := []any{c.ID, millis(c.TTL), 0, 0, c.Limit, head(c, kind, parts), tail(c), inbox, latest.UnixMilli()}
	for _, p := range parts {
		args = append(args, member(kind, p), 1)
	}
	answer, err := r.caller.Run(r.Context(), acquireScript, r.keys("rooms", "hotel"), args...)
	if err != nil {
		r.Fatal(err)
	}
	g, _, err := granted(answer, c, parts)
	if err != nil {
		r.Fatal(err)
	}
	return g
}

// served reports whether an inbox gets a grant within a minute of pings.
func (r *rig) served(inbox string) bool {
	r.Helper()
	for range 60 {
		answer, err := r.caller.Run(r.Context(), pingScript, r.keys("rooms", "hotel"), inbox)
		if err != nil {
			r.Fatal(err)
		}
		if len(answer.([]any)) > 3 {
			return true
		}
		time.Sleep(time.Second)
	}
	return false
}

// The claim of an expired hold was given up, so that its id has an ending; its
// record stays until it is recorded.
func TestAReleaseOfAnExpiredHoldLeavesTheNextHolderAlone(t *testing.T) {
	for _, room := range []lock.Resource{lock.Key("room"), lock.Span("room", 1, 2)} {
		for _, waits := range []bool{false, true} {
			virtual(t, func(r *rig) {
				r.take(lock.Key("elsewhere"), time.Hour)
				c, g := r.take(room, time.Second)
				time.Sleep(2 * time.Second)
				r.sweep()
				ticket := c.StoreTicket
				ticket.Until = g.Hold.ExpiresAt
				r.release(ticket)
				next, _ := r.take(room, time.Hour)
				if waits {
					r.from("=waiter", r.claim(lock.Key("room"), time.Hour), time.Now().Add(time.Hour))
				}
				if s := r.release(ticket); s != lock.StatusMissing {
					t.Errorf("%s: the release of what had expired: status %d, want missing", room, s)
				}
				r.wantBlocked(room, next.ID)
				if got := ids(r.sweep()); !slices.Equal(got, []string{c.ID}) {
					t.Errorf("%s: to be recorded are %v, want the expired hold", room, got)
				}
			})
		}
	}
}

// No script drops more than 128 places of a dead process, so one who is granted
// something may come to the rest of them.
func TestAWaiterBehindADeadOneIsServedByWhoeverDropsThat(t *testing.T) {
	for _, places := range []int{10, 200} {
		virtual(t, func(r *rig) {
			far := time.Now().Add(24 * time.Hour)
			for i := range places {
				r.take(lock.Key(fmt.Sprint("room", i)), 12*time.Hour)
				c := r.claim(lock.Key(fmt.Sprint("room", i)), time.Hour)
				c.ID = fmt.Sprintf("dead%04d", i)
				r.from("=dead", c, far)
			}
			r.take(lock.Key("b"), 12*time.Hour)
			all := r.claim(lock.All(lock.Key("a"), lock.Key("b"), lock.Key("c")), time.Hour)
			all.ID = "the last of the dead ones"
			r.from("=dead", all, far)
			time.Sleep(time.Second)
			if g := r.from("=alive", r.claim(lock.Key("a"), time.Hour), far); g.Status != lock.StatusBlocked {
				t.Fatalf("status %d, want blocked by a waiter", g.Status)
			}
			time.Sleep(2001 * time.Millisecond) // only the dead inbox has lapsed
			if g := r.from("=other", r.claim(lock.Key("c"), time.Hour), far); g.Status != lock.StatusGranted {
				t.Fatalf("status %d, want granted", g.Status)
			}
			if !r.served("=alive") {
				t.Errorf("%d places: a is free, and its waiter was not served in a minute", places)
			}
		})
	}
}

func TestALateClaimServesThoseWhoWaitForWhatItHeld(t *testing.T) {
	virtual(t, func(r *rig) {
		c, _ := r.take(lock.Key("room"), 500*time.Millisecond)
		r.from("=alive", r.claim(lock.Key("room"), time.Hour), time.Now().Add(time.Hour))
		r.pass(500 * time.Millisecond)
		if g := r.from("=first", c, time.Now().Add(-time.Millisecond)); g.Status != lock.StatusMissing {
			t.Fatalf("status %d, want missing", g.Status)
		}
		if !r.served("=alive") {
			t.Error("the room is free, and its waiter was not served in a minute")
		}
	})
}

func TestTheQueueLivesAsLongAsTheHolds(t *testing.T) {
	everywhere(t, func(r *rig) {
		c, _ := r.take(lock.Key("room"), time.Minute)
		r.from("=alive", r.claim(lock.Key("room"), time.Hour), time.Now().Add(time.Hour))
		r.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: 20 * 24 * time.Hour})
		keys := r.keys("rooms", "hotel")
		if l, q := r.client.PTTL(r.Context(), keys[1]).Val(), r.client.PTTL(r.Context(), keys[4]).Val(); q < l-time.Second {
			r.Errorf("the ledger lives %s, the queue %s", l, q)
		}
	})
}

func TestAFullServerTakesEveryRelease(t *testing.T) {
	for name, c := range map[string]struct {
		keep  time.Duration
		again bool
		gone  bool
	}{"held": {}, "kept": {keep: time.Minute}, "repeated": {again: true}, "missing": {gone: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, redistest.Real(t).Client(t))
			r.take(lock.Key("elsewhere"), time.Hour)
			claim := r.claim(lock.Key("room"), time.Hour)
			claim.KeepAtLeast = c.keep
			g := r.ask(claim)
			ticket := claim.StoreTicket
			ticket.Fence, ticket.Until = g.Hold.Fence, g.Hold.ExpiresAt
			want := lock.StatusGranted
			if c.gone {
				ticket.ID, want = "nobody's", lock.StatusMissing
			}
			if err := r.client.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
				t.Fatal(err)
			}
			if c.again {
				r.release(ticket)
				ticket.Again = true
			}
			if s := r.release(ticket); s != want {
				t.Errorf("status %d, want %d", s, want)
			}
		})
	}
}
