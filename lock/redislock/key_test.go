// SPDX-License-Identifier: MIT

package redislock

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

// field returns a field of the ledger, "" when there is none.
func (r *rig) field(name string) string {
	r.Helper()
	return r.client.HGet(r.Context(), r.keys("rooms", "hotel")[1], name).Val()
}

// holder is who has a name as a key, by the record in its slot; "" when no one has.
func (r *rig) holder(name string) string {
	r.Helper()
	record := reader{rest: strings.TrimPrefix(r.field("="+name), version)}
	record.field() // the token
	record.rest = strings.TrimPrefix(record.rest, string(sole))
	return record.field()
}

func TestAKeyIsNotInTheIndex(t *testing.T) {
	everywhere(t, func(r *rig) {
		for range 2 { // the first grant of a group, and a quick one
			c, _ := r.take(lock.Key("room"), time.Hour)
			if left := r.keysLeft(); left != "lx" || r.holder("room") != c.ID {
				r.Errorf("keys %q, the slot is of %q, want lx and %q", left, r.holder("room"), c.ID)
			}
			if s := r.release(c.StoreTicket); s != lock.StatusGranted || r.field("=room") != "" || r.field(c.ID) != "" {
				r.Errorf("release: status %d, the ledger has %q and %q, want nothing", s, r.field("=room"), r.field(c.ID))
			}
			r.take(lock.Key("other"+c.ID), time.Hour)
		}
	})
}

func TestAKeyAndSpansOfItsNameExcludeEachOther(t *testing.T) {
	everywhere(t, func(r *rig) {
		r.take(lock.Key("elsewhere"), time.Hour) // so that the quick paths are open
		r.take(lock.Span("elsewhere too", 1, 2), time.Hour)
		for _, other := range []lock.Resource{
			lock.Span("room", 1, 2), lock.All(lock.Key("room"), lock.Key("hall")), lock.All(lock.Span("a", 1, 2), lock.Span("room", 1, 2)),
		} {
			key, _ := r.take(lock.Key("room"), time.Hour)
			r.wantBlocked(other, key.ID)
			r.wantBlocked(lock.Key("room"), key.ID)
			r.release(key.StoreTicket)
			c, _ := r.take(other, time.Hour)
			r.wantBlocked(lock.Key("room"), c.ID)
			r.release(c.StoreTicket)
		}
		r.take(lock.Key("room"), time.Hour)
	})
}

// Several keys fit beside one another where capacity allows it, and then none
// of them has the name for itself.
func TestKeysOfANameWithRoomForSeveral(t *testing.T) {
	everywhere(t, func(r *rig) {
		ask := func(res lock.Resource, capacity int) lock.StoreClaim {
			r.Helper()
			c := r.claim(res, time.Hour)
			c.Capacity = []int{capacity}
			if g := r.ask(c); g.Status != lock.StatusGranted {
				r.Fatalf("%s of %d: %s, want granted", res, capacity, describe(g))
			}
			return c
		}
		sole, second, span := ask(lock.Key("hall"), 1), ask(lock.Key("hall"), 3), ask(lock.Span("hall", 1, 2), 3)
		r.wantBlocked(lock.Key("hall"), second.ID, span.ID, sole.ID)
		r.release(second.StoreTicket)
		if got := r.holder("hall"); got != sole.ID {
			r.Errorf("the slot is of %q once another key of the name is gone, want %q", got, sole.ID)
		}
		r.release(sole.StoreTicket)
		r.wantBlocked(lock.Key("hall"), span.ID)
	})
}

func TestAnExpiredKeyIsInNoOnesWayAndListedOnce(t *testing.T) {
	everywhere(t, func(r *rig) {
		for _, next := range []lock.Resource{lock.Key("room"), lock.Span("room", 1, 2), lock.All(lock.Key("room"), lock.Key("hall"))} {
			key := r.claim(lock.Key("room"), 30*time.Millisecond)
			key.Reason = "why"
			first := r.ask(key)
			r.pass(key.TTL)
			if s := r.release(key.StoreTicket); s != lock.StatusMissing {
				r.Errorf("released after the end: status %d, want missing", s)
			}
			c, g := r.take(next, time.Hour)
			if g.Hold.Fence <= first.Hold.Fence {
				r.Errorf("%s: fence %d after %d", next, g.Hold.Fence, first.Hold.Fence)
			}
			if swept := r.sweep(); len(swept) != 1 || swept[0].ID != key.ID || swept[0].Resource.String() != "room" || swept[0].Reason != "why" {
				r.Errorf("%s: expired %+v", next, swept)
			}
			if got := ids(r.sweep(key.ID)); len(got) != 0 {
				r.Errorf("recorded, but still there: %v", got)
			}
			r.release(c.StoreTicket)
		}
	})
}

// The sweep of an acquire takes the 64 oldest only.
func TestAKeySweptLateLeavesItsSuccessorAlone(t *testing.T) {
	virtual(t, func(r *rig) {
		for i := range 70 {
			r.take(lock.Span("other", int64(i), int64(i)+1), time.Second)
		}
		late, _ := r.take(lock.Key("room"), time.Second+time.Millisecond)
		time.Sleep(late.TTL)
		next, _ := r.take(lock.Key("room"), time.Hour)
		if n := len(r.sweep()); n != 71 {
			t.Fatalf("%d expired, want 71", n)
		}
		r.wantBlocked(lock.Span("room", 1, 2), next.ID)
	})
}

func TestTheQuickPathOverlooksNoExpiry(t *testing.T) {
	virtual(t, func(r *rig) {
		long, _ := r.take(lock.Key("long"), time.Hour)
		short, _ := r.take(lock.Key("short"), time.Second)
		shorter, _ := r.take(lock.Key("shorter"), time.Second/2)
		r.extend(lock.StoreRenewal{StoreTicket: short.StoreTicket, TTL: 2 * time.Second})
		for _, step := range []struct {
			after time.Duration
			ended string
		}{{400 * time.Millisecond, ""}, {100 * time.Millisecond, shorter.ID}, {time.Second, ""}, {500 * time.Millisecond, short.ID}, {2 * time.Hour, long.ID}} {
			time.Sleep(step.after)
			c, g := r.take(lock.Key("now"), time.Hour) // no longer, or the keys need more time to live
			if got := strings.Join(ids(g.Expired), " "); got != step.ended {
				t.Errorf("%s later: found %q, want %q", step.after, got, step.ended)
			}
			r.release(c.StoreTicket)
			r.sweep(ids(g.Expired)...)
		}
	})
}

func TestAQuickGrantIsTheOneThatIsListed(t *testing.T) {
	everywhere(t, func(r *rig) {
		r.take(lock.Span("elsewhere", 1, 2), time.Hour)
		for _, res := range []lock.Resource{lock.Key("room"), lock.Span("hall", 1, 2)} {
			c := r.claim(res, time.Hour)
			c.MaxHold, c.Reason, c.Details = 30*time.Minute, "1,2:3", map[string]string{"k": "v"}
			g := r.ask(c)
			listed := r.list(res)
			if len(listed) != 1 || listed[0].Left > g.Hold.Left || g.Hold.Left != c.MaxHold {
				r.Fatalf("listed %+v, granted %+v", listed, g.Hold)
			}
			listed[0].Left = g.Hold.Left
			if got, want := fmt.Sprintf("%+v", g.Hold), fmt.Sprintf("%+v", listed[0]); got != want {
				r.Errorf("granted %s\nlisted  %s", got, want)
			}
			if g := r.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: time.Hour})[0]; g.Status != lock.StatusCapped || g.Hold.Left > c.MaxHold {
				r.Errorf("extended to %s with status %d, want capped by MaxHold", g.Hold.Left, g.Status)
			}
		}
	})
}

func TestAReleasedKeyIsRememberedWhateverHoldsItNow(t *testing.T) {
	everywhere(t, func(r *rig) {
		r.take(lock.Key("elsewhere"), time.Hour)
		var past []lock.StoreClaim
		for range 5 {
			c, _ := r.take(lock.Key("room"), time.Hour)
			r.release(c.StoreTicket)
			past = append(past, c)
		}
		holder, _ := r.take(lock.Key("room"), time.Hour)
		for _, c := range past {
			if s := r.release(c.StoreTicket); s != lock.StatusGranted {
				r.Errorf("repeated release of %s: status %d, want granted", c.ID, s)
			}
			if g := r.ask(c); g.Status != lock.StatusMissing {
				r.Errorf("late claim %s: status %d, want missing", c.ID, g.Status)
			}
		}
		if s := r.release(holder.StoreTicket); s != lock.StatusGranted {
			r.Errorf("the holder's release: status %d, want granted", s)
		}
		if g := r.ask(past[0]); g.Status != lock.StatusMissing {
			r.Errorf("late claim of a free name: status %d, want missing", g.Status)
		}
	})
}

func TestASlotOfAnEndedHoldIsFree(t *testing.T) {
	for _, garbage := range []string{"", "ghost", "\xff\x00", "#fence", "=room"} {
		virtual(t, func(r *rig) {
			r.take(lock.Key("elsewhere"), time.Hour)
			r.client.HSet(r.Context(), r.keys("rooms", "hotel")[1], "=room", garbage, "=hall", garbage)
			r.take(lock.Key("room"), time.Hour)
			r.take(lock.Span("hall", 1, 2), time.Hour)
			r.take(lock.Span("hall", 2, 3), time.Hour)
			if got := len(r.list(lock.Resource{})); got != 4 {
				t.Errorf("%q: %d holds listed, want 4", garbage, got)
			}
		})
	}
}

func TestKeysAndSpansAreListedInOneOrder(t *testing.T) {
	everywhere(t, func(r *rig) {
		var want []string
		for i := range 300 { // more than a page of each
			name := fmt.Sprintf("room/%03d", i)
			if i%2 == 0 {
				r.take(lock.Key(name), time.Hour)
			} else {
				r.take(lock.Span(name, 1, 2), time.Hour)
			}
			want = append(want, name)
		}
		var got []string
		for _, h := range r.list(lock.Resource{}) {
			got = append(got, h.Resource.Name())
		}
		if !slices.Equal(got, want) {
			r.Errorf("listed %d: %v", len(got), got)
		}
		n := 0
		for _, err := range r.Holds(r.Context(), lock.StoreQuery{Space: "rooms", Group: "hotel", Limit: 7}) {
			if n++; err != nil {
				r.Fatal(err)
			}
		}
		if n != 7 {
			r.Errorf("%d listed of at most 7", n)
		}
	})
}
