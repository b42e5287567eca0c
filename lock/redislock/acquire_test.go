// SPDX-License-Identifier: MIT

package redislock

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

func TestSpansConflictOnlyWhereTheyOverlap(t *testing.T) {
	everywhere(t, func(r *rig) {
		r.take(lock.Span("room", 10, 20), time.Hour) // id1
		for _, free := range []lock.Resource{
			lock.Span("room", 5, 10), lock.Span("room", 20, 21), // touching is free
			lock.Span("room2", 10, 20), lock.Span("roo", 10, 20), lock.Span("room\x01", 10, 20),
			lock.Span("room", lock.MinBound, -5), lock.Span("room", 30, lock.MaxBound),
		} {
			r.take(free, time.Hour)
		}
		for _, taken := range []lock.Resource{
			lock.Span("room", 10, 20), lock.Span("room", 19, 20), lock.Span("room", 10, 11), lock.Span("room", 12, 13),
		} {
			r.wantBlocked(taken, "id1")
		}
		r.wantBlocked(lock.Span("room", 9, 21), "id2", "id1", "id3")
	})
}

func TestKindsOfOneNameConflictAsIfWhole(t *testing.T) {
	everywhere(t, func(r *rig) {
		day := time.Date(2026, 12, 12, 0, 0, 0, 0, time.UTC)
		kinds := []lock.Resource{
			lock.Key("room"), lock.Span("room", 1, 2), lock.Nights("room", day, day.AddDate(0, 0, 1)),
			lock.Between("room", day, day.Add(time.Hour)),
		}
		for _, held := range kinds {
			c, _ := r.take(held, time.Hour)
			for _, wanted := range kinds {
				r.wantBlocked(wanted, c.ID)
			}
			r.release(c.StoreTicket)
		}
		r.take(lock.Key("room/2"), time.Hour)
		r.take(lock.Key("roo"), time.Hour)
	})
}

func TestAConflictSaysWhoHoldsWhatAndHowLongStillButNoToken(t *testing.T) {
	virtual(t, func(r *rig) {
		c := r.claim(lock.All(lock.Span("a", 1, 4), lock.Span("b", 1, 4).Units(1)), time.Minute)
		c.Reason, c.Details = "breakfast: 7:30, \x00\xff", map[string]string{"": "empty", "k": "1:2,3"}
		granted := r.ask(c)
		time.Sleep(10 * time.Second)

		g := r.ask(r.claim(lock.Span("b", 3, 9), time.Minute))
		if g.Status != lock.StatusBlocked || len(g.Conflicts) != 1 || g.Retry != 50*time.Second {
			t.Fatalf("got %+v, want one conflict and a retry after 50s", g)
		}
		got := g.Conflicts[0]
		want := granted.Hold
		want.Left = 50 * time.Second
		if fmt.Sprint(got.Hold) != fmt.Sprint(want) || got.Wanted.String() != "b [3, 9)" {
			t.Errorf("conflict:\n got %+v\nwant %+v", got.Hold, want)
		}
		if h := got.Hold; h.Holder != c.Holder || h.Reason != c.Reason || len(h.Details) != 2 || h.Details["k"] != "1:2,3" || h.Details[""] != "empty" {
			t.Errorf("the conflict lost some of the claim: %+v", h)
		}
		for _, answer := range []any{g, granted, r.list(lock.Resource{}), r.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: time.Hour})} {
			if text := fmt.Sprintf("%+v", answer); strings.Contains(text, c.Token) {
				t.Errorf("the token is in %s", text)
			}
		}
	})
}

func TestAllPartsOrNone(t *testing.T) {
	everywhere(t, func(r *rig) {
		held, _ := r.take(lock.All(lock.Span("b", 5, 6), lock.Key("d")), time.Hour)
		wanted := lock.All(lock.Key("a"), lock.Span("b", 1, 9), lock.Key("c"), lock.Key("d"))
		r.wantBlocked(wanted, held.ID, held.ID)
		r.take(lock.All(lock.Key("a"), lock.Key("c"), lock.Span("b", 6, 9)), time.Hour)
		r.release(held.StoreTicket)
		r.take(lock.Key("d"), time.Hour)
	})
}

func TestARepeatedClaimIsAnsweredLikeTheFirst(t *testing.T) {
	everywhere(t, func(r *rig) {
		c, first := r.take(lock.Span("room", 1, 2), time.Hour)
		again := r.ask(c)
		if again.Status != lock.StatusGranted || again.Hold.Fence != first.Hold.Fence || !again.Hold.AcquiredAt.Equal(first.Hold.AcquiredAt) ||
			!again.Hold.ExpiresAt.Equal(first.Hold.ExpiresAt) {
			r.Errorf("repeated: %+v, want %+v", again, first)
		}
		if n := r.client.ZCard(r.Context(), r.keys("rooms", "hotel")[0]).Val(); n != 1 {
			r.Errorf("%d members in the index, want 1", n)
		}
		foreign := c
		foreign.Token = "guessed"
		if _, err := r.Acquire(r.Context(), foreign); err == nil || strings.Contains(err.Error(), "secret") {
			r.Errorf("a claim with another's id: %v, want an error without the token", err)
		}
		r.pass(0)
		if got := ids(r.list(lock.Resource{})); !slices.Equal(got, []string{c.ID}) {
			r.Errorf("holds %v, want %v", got, c.ID)
		}
	})
}

func TestAnExpiredTicketStartsAfresh(t *testing.T) {
	everywhere(t, func(r *rig) {
		c, first := r.take(lock.Span("room", 1, 2), 20*time.Millisecond)
		r.pass(c.TTL)
		c.Resource, c.TTL = lock.Span("room", 5, 6), time.Hour
		again := r.ask(c)
		if again.Status != lock.StatusGranted || again.Hold.Fence <= first.Hold.Fence {
			r.Fatalf("again: %+v, want a new grant with a higher fence", again)
		}
		r.take(lock.Span("room", 1, 2), time.Hour) // its old member must not live again
		if got := r.sweep(); len(got) != 0 {
			r.Errorf("expired %v, want none: the hold lives again", ids(got))
		}
	})
}

// The sweep of an acquire takes the 64 oldest only.
func TestAnExpiredTicketStartsAfreshEvenBehindALongQueue(t *testing.T) {
	virtual(t, func(r *rig) {
		for i := range 70 {
			r.take(lock.Span("other", int64(i), int64(i)+1), time.Second)
		}
		c, _ := r.take(lock.Span("room", 1, 2), time.Second+time.Millisecond)
		time.Sleep(c.TTL)
		c.Resource, c.TTL = lock.Span("room", 5, 6), time.Hour
		r.ask(c)
		r.take(lock.Span("room", 1, 2), time.Hour)
	})
}

func TestMembersOutsideTheLedgerAreDead(t *testing.T) {
	everywhere(t, func(r *rig) {
		index := r.keys("rooms", "hotel")[0]
		for from := int64(0); from < 40; from++ { // disjoint, as grants leave them
			r.client.ZAdd(r.Context(), index, z(member('1', lock.Span("room", from, from+1))+"ghost"))
		}
		r.client.ZAdd(r.Context(), index, z("room\x001\x10"), z(member('0', lock.Key("room"))+"ghost"))
		r.take(lock.Span("room", 0, 50), time.Hour)
		if n := r.client.ZCard(r.Context(), index).Val(); n != 1 {
			r.Errorf("%d members, want 1: the dead ones in the way go", n)
		}
	})
}

func TestDeadSpansNeitherHideNorCauseConflicts(t *testing.T) {
	everywhere(t, func(r *rig) {
		long, _ := r.take(lock.Span("room", 0, 10), 40*time.Millisecond)
		r.pass(long.TTL)
		live, _ := r.take(lock.Span("room", 2, 3), time.Hour)
		r.take(lock.Span("room", 4, 10), time.Hour)
		r.wantBlocked(lock.Span("room", 0, 4), live.ID)
	})
}

func TestCapacityCountsUnitsWhereTheyOverlap(t *testing.T) {
	everywhere(t, func(r *rig) {
		take := func(from, to int64, units int, want lock.StoreStatus, by ...string) string {
			r.Helper()
			c := r.claim(lock.Span("double", from, to).Units(units), time.Hour)
			c.Capacity = []int{3}
			g := r.ask(c)
			if g.Status != want || len(by) > 0 && !slices.Equal(by, ids(holdsOf(g))) {
				r.Errorf("[%d, %d) ×%d: status %d by %v, want %d by %v", from, to, units, g.Status, ids(holdsOf(g)), want, by)
			}
			return c.ID
		}
		a := take(0, 100, 1, lock.StatusGranted) // long, begins early
		b := take(10, 12, 2, lock.StatusGranted) // full in [10, 12)
		take(9, 11, 1, lock.StatusBlocked, a, b)
		take(12, 13, 2, lock.StatusGranted)    // touching
		take(13, 14, 3, lock.StatusBlocked, a) // the long one still counts
		take(5, 10, 2, lock.StatusGranted)     // touching from the other side
		take(99, 120, 2, lock.StatusGranted)   //
		take(100, 110, 2, lock.StatusBlocked)  // 2 are free of 3, minus 2: 1
		take(100, 110, 1, lock.StatusGranted)
		take(0, 1, 4, lock.StatusBlocked)
	})
}

// A name's spans may overlap only once its capacity has been above one. What
// is walked past then depends on the longest one.
func TestCapacityMayChange(t *testing.T) {
	everywhere(t, func(r *rig) {
		ask := func(from, to int64, capacity int) (lock.StoreClaim, lock.StoreStatus) {
			c := r.claim(lock.Span("room", from, to), time.Hour)
			c.Capacity = []int{capacity}
			return c, r.ask(c).Status
		}
		long, _ := ask(0, 100, 1)
		for from := int64(10); from < 80; from++ { // more than a page between
			if _, s := ask(from, from+1, 2); s != lock.StatusGranted {
				r.Fatalf("[%d, …) with capacity 2: status %d, want granted", from, s)
			}
		}
		if _, s := ask(90, 91, 1); s != lock.StatusBlocked {
			r.Error("the long span of before the change was overlooked with capacity 1")
		}
		if _, s := ask(50, 51, 2); s != lock.StatusBlocked {
			r.Error("the long span of before the change was overlooked with capacity 2")
		}
		r.release(long.StoreTicket)
		if _, s := ask(90, 91, 1); s != lock.StatusGranted {
			r.Error("free again, but not granted")
		}
		for _, h := range r.list(lock.Resource{}) {
			r.release(lock.StoreTicket{Space: "rooms", Group: "hotel", ID: h.ID, Force: true})
		}
		if left := r.keysLeft(); left != "lx" { // x: what was released, for some seconds
			r.Errorf("keys %q left, want the fence and a short memory", left)
		}
	})
}

func TestTheLongestSpanIsRememberedAsLongAsItsHold(t *testing.T) {
	virtual(t, func(r *rig) {
		var holds []lock.StoreClaim
		for _, span := range []lock.Resource{lock.Span("room", 0, 100), lock.Span("room", 50, 51)} {
			c := r.claim(span, time.Hour)
			c.Capacity = []int{2}
			r.ask(c)
			holds = append(holds, c)
		}
		for _, c := range holds {
			r.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: 3 * time.Hour})
		}
		time.Sleep(2 * time.Hour)
		r.wantBlocked(lock.Span("room", 90, 91), holds[0].ID)
	})
}

func TestFencesRiseEvenWhenRedisForgetsThem(t *testing.T) {
	everywhere(t, func(r *rig) {
		var last uint64
		for range 10 {
			for range 5 {
				c, g := r.take(lock.Key("room"), time.Hour)
				if g.Hold.Fence <= last {
					r.Fatalf("fence %d after %d", g.Hold.Fence, last)
				}
				last = g.Hold.Fence
				r.release(c.StoreTicket)
			}
			r.flushing()
			r.pass(0) // a fence rises by the clock then
		}
	})
}

func TestAFenceAheadOfTheClockStillRisesAndShowsTheRightTime(t *testing.T) {
	virtual(t, func(r *rig) {
		ahead := time.Now().Add(time.Hour).UnixMicro()
		r.client.HSet(r.Context(), r.keys("rooms", "hotel")[1], "#fence", ahead)
		_, g := r.take(lock.Key("room"), time.Minute)
		if g.Hold.Fence != uint64(ahead)+1 || !g.Hold.AcquiredAt.Equal(time.Now()) {
			t.Errorf("fence %d at %s, want %d at %s", g.Hold.Fence, g.Hold.AcquiredAt, ahead+1, time.Now())
		}
	})
}

func TestAFenceFarAheadOfTheClockIsIgnored(t *testing.T) {
	everywhere(t, func(r *rig) {
		for _, wrong := range []string{"9007199254740992", "1e300", "inf", "nan", "-1e300", "text"} {
			for _, res := range []lock.Resource{lock.Key("room"), lock.Span("room", 1, 2), lock.All(lock.Key("room"), lock.Key("hall"))} {
				r.client.HSet(r.Context(), r.keys("rooms", "hotel")[1], "#fence", wrong)
				c, first := r.take(res, time.Minute)
				r.release(c.StoreTicket)
				c, next := r.take(res, time.Minute)
				r.release(c.StoreTicket)
				if f, n := first.Hold.Fence, next.Hold.Fence; n <= f || n > uint64(time.Now().Add(time.Minute).UnixMicro()) {
					r.Errorf("after %s the fences of %s are %d and %d", wrong, res, f, n)
				}
			}
		}
	})
}

func TestAClaimThatCannotBeStoredIsRefusedUnsent(t *testing.T) {
	s := New(nil) // sending would panic
	for _, r := range []lock.Resource{
		lock.Key(""), lock.Key("a\x00b"), lock.Span("a", 2, 2), lock.Span("a", lock.MinBound-1, 2), lock.Span("a", 0, 1).Units(0),
		lock.Of(10, "a", 1, 2),
	} {
		c := lock.StoreClaim{StoreTicket: lock.StoreTicket{ID: "id", Name: r.Name()}, Resource: r, TTL: time.Second}
		if _, err := s.Acquire(t.Context(), c); !errors.Is(err, lock.ErrInvalid) || !strings.Contains(err.Error(), "cannot store") {
			t.Errorf("%q: %v", r, err)
		}
	}
	for _, k := range []lock.StoreTicket{{Name: "a"}, {ID: "#fence", Name: "a"}, {ID: "=a", Name: "a"}, {ID: "two words", Name: "a"}, {ID: "i\x00d", Name: "a"}, {ID: "id"}, {ID: "id", Name: "b"}} {
		_, err := s.Acquire(t.Context(), lock.StoreClaim{StoreTicket: k, Resource: lock.Key("a"), TTL: time.Second})
		if !errors.Is(err, lock.ErrInvalid) || !strings.Contains(err.Error(), "cannot store") {
			t.Errorf("the id %q with the name %q: %v", k.ID, k.Name, err)
		}
	}
}

func holdsOf(g lock.StoreGrant) []lock.Hold {
	var list []lock.Hold
	for _, c := range g.Conflicts {
		list = append(list, c.Hold)
	}
	return list
}

// A brute-force count of units decides, while the capacity changes with every
// claim and spans of all lengths come and go.
func TestChangingCapacitiesAgreeWithBruteForce(t *testing.T) {
	everywhere(t, func(r *rig) {
		rnd := rand.New(rand.NewPCG(1, 2))
		var held []lock.StoreClaim
		for step := range 800 {
			if len(held) > 0 && rnd.IntN(5) < 2 || len(held) > 60 {
				i := rnd.IntN(len(held))
				r.release(held[i].StoreTicket)
				held = slices.Delete(held, i, i+1)
				continue
			}
			from := int64(rnd.IntN(100))
			c := r.claim(lock.Span("room", from, from+1+int64(rnd.ExpFloat64()*8)), time.Hour)
			c.Capacity = []int{1 + rnd.IntN(3)}
			free := true
			_, to := c.Resource.Bounds()
			for at := from; at < to; at++ {
				taken := 0
				for _, h := range held {
					if f, t := h.Resource.Bounds(); f <= at && at < t {
						taken++
					}
				}
				free = free && taken < c.Capacity[0]
			}
			if got := r.ask(c).Status == lock.StatusGranted; got != free {
				r.Fatalf("step %d: %s of %d: granted %t, want %t", step, c.Resource, c.Capacity[0], got, free)
			}
			if free {
				held = append(held, c)
			}
		}
	})
}
