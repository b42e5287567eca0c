// SPDX-License-Identifier: MIT

package redislock

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/lock"
)

func TestAnExpiredHoldIsListedUntilItIsRecorded(t *testing.T) {
	everywhere(t, func(r *rig) {
		c := r.claim(lock.All(lock.Key("a"), lock.Span("b", 1, 2)), time.Second) // on a busy machine, too, two calls take less
		c.Reason = "why"
		granted := r.ask(c)
		if got := r.sweep(); len(got) != 0 {
			r.Fatalf("expired while alive: %v", ids(got))
		}
		r.sweep(c.ID) // telling of a live one changes nothing
		r.pass(c.TTL)
		_, other := r.take(lock.Key("other"), time.Hour)
		if got := ids(other.Expired); !slices.Equal(got, []string{c.ID}) {
			r.Errorf("the next acquire found %v, want %v", got, c.ID)
		}
		if _, third := r.take(lock.Key("third"), time.Hour); len(third.Expired) != 0 {
			r.Errorf("an acquire found %v again", ids(third.Expired))
		}
		for range 2 {
			got := r.sweep("unknown")
			if len(got) != 1 || got[0].ID != c.ID || got[0].Reason != "why" || got[0].Fence != granted.Hold.Fence ||
				got[0].Left > 0 || !got[0].ExpiresAt.Equal(granted.Hold.ExpiresAt) || got[0].Resource.String() != "a, b [1, 2)" {
				r.Errorf("sweep returned %+v, want the hold as it was", got)
			}
		}
		if got := r.sweep(c.ID); len(got) != 0 {
			r.Errorf("sweep returned %v, which was recorded", ids(got))
		}
	})
}

func TestAnExpiredHoldOfAQuietGroupIsStillReported(t *testing.T) {
	virtual(t, func(r *rig) {
		c, _ := r.take(lock.Key("a"), time.Minute)
		time.Sleep(6 * 24 * time.Hour)
		if got := ids(r.sweep()); !slices.Equal(got, []string{c.ID}) {
			t.Errorf("swept %v, want %v", got, c.ID)
		}
		if left := r.keysLeft(); left != "lu" {
			t.Errorf("keys %q, want the fence and what is unrecorded", left)
		}
		r.sweep(c.ID)
		if left := r.keysLeft(); left != "l" {
			t.Errorf("keys %q, want only the fence", left)
		}
	})
}

func TestAnIdleGroupLeavesNothing(t *testing.T) {
	virtual(t, func(r *rig) {
		for i := range 5 {
			c := r.claim(lock.Span("a", int64(i), int64(i)+3), time.Minute)
			c.Capacity = []int{9}
			r.ask(c)
		}
		r.extend(lock.StoreRenewal{StoreTicket: lock.StoreTicket{Space: "rooms", Group: "hotel", ID: "id1", Token: "secret1"}, TTL: time.Hour})
		if left := r.keysLeft(); left != "ilx" {
			t.Errorf("keys %q in use", left)
		}
		time.Sleep(time.Hour - time.Millisecond)
		r.wantBlocked(lock.Key("a"), "id1")
		time.Sleep(3 * time.Second)
		r.sweep(ids(r.sweep())...)
		if left := r.keysLeft(); left != "l" {
			t.Errorf("keys %q, want only the fence once all was recorded", left)
		}
		r.take(lock.Span("crashed", 1, 2), time.Minute)
		time.Sleep(8 * 24 * time.Hour)
		if left := r.keysLeft(); left != "" {
			t.Errorf("keys %q left after eight idle days", left)
		}
	})
}

// Endings are remembered in bulk and forgotten in steps.
func TestTheMemoryOfReleasesIsShort(t *testing.T) {
	everywhere(t, func(r *rig) {
		expiry := r.keys("rooms", "hotel")[2]
		for i := range 200 {
			c, _ := r.take(lock.Key("a"), time.Hour)
			if s := r.release(c.StoreTicket); s != lock.StatusGranted {
				r.Fatalf("release %d: status %d", i, s)
			}
		}
		if ttl := r.client.PTTL(r.Context(), expiry).Val(); ttl <= 0 || ttl > lock.StoreRememberFor {
			r.Errorf("the memory of an idle group lives for %s, want %s at most", ttl, lock.StoreRememberFor)
		}
		r.client.PExpire(r.Context(), expiry, time.Millisecond) // as if all that time had passed
		r.pass(time.Millisecond)
		if left := r.keysLeft(); left != "l" {
			r.Errorf("keys %q left, want only the fence", left)
		}
	})
}

// Beside an unrecorded hold a group is not quite empty, and yet the last release
// leaves nothing that could live for ever.
func TestAReleaseOfWhichNoCopyCanComeLeavesNothing(t *testing.T) {
	for name, unrecorded := range map[string]int{"alone": 0, "beside unrecorded holds": 3} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(r *rig) {
				for i := range unrecorded {
					r.take(lock.Span("b", int64(i), int64(i)+1), time.Millisecond)
				}
				r.pass(2 * time.Millisecond)
				r.sweep()
				expiry := r.keys("rooms", "hotel")[2]
				for range 2 {
					c, g := r.take(lock.Key("a"), time.Hour)
					if ttl := r.client.PTTL(r.Context(), expiry).Val(); ttl < time.Hour {
						r.Fatalf("while a hold lasts, its end is kept for %s", ttl)
					}
					c.Fence, c.Until = g.Hold.Fence, g.Hold.ExpiresAt
					r.release(c.StoreTicket)
					if n := r.client.Exists(r.Context(), expiry).Val(); n != 0 {
						r.Fatalf("%v is left", r.client.ZRangeWithScores(r.Context(), expiry, 0, -1).Val())
					}
				}
			})
		})
	}
}

func TestAReleaseLeavesAnotherHoldItsTime(t *testing.T) {
	everywhere(t, func(r *rig) {
		c, g := r.take(lock.Key("a"), time.Hour)
		other, _ := r.take(lock.Key("b"), time.Hour)
		c.Fence, c.Until = g.Hold.Fence, g.Hold.ExpiresAt
		r.release(c.StoreTicket)
		if ttl := r.client.PTTL(r.Context(), r.keys("rooms", "hotel")[2]).Val(); ttl < time.Hour {
			r.Errorf("while a hold lasts, its end is kept for %s", ttl)
		}
		r.wantBlocked(lock.Key("b"), other.ID)
	})
}

func TestOldReleasesAreForgottenUnderLoad(t *testing.T) {
	virtual(t, func(r *rig) {
		r.take(lock.Key("a"), time.Hour) // so that nothing goes by itself
		for i := range 3000 {
			c, _ := r.take(lock.Key("b"), time.Hour)
			r.release(c.StoreTicket)
			time.Sleep(10*time.Millisecond + time.Duration(i)*time.Microsecond)
		}
		expiry := r.keys("rooms", "hotel")[2]
		if n := r.client.ZCard(r.Context(), expiry).Val(); n > 600 {
			t.Errorf("%d remembered, want those of about five seconds", n)
		}
	})
}

// A group may be left with one hold that is renewed every ten seconds, after a
// storm of releases. Each renewal forgets a part of what the storm left.
func TestOldReleasesAreForgottenBesideAHoldThatLasts(t *testing.T) {
	everywhere(t, func(r *rig) {
		held, _ := r.take(lock.Key("a"), time.Hour)
		ended, _ := r.take(lock.Key("b"), time.Hour)
		r.release(ended.StoreTicket)
		expiry := r.keys("rooms", "hotel")[2]
		score := r.client.ZScore(r.Context(), expiry, ended.ID).Val()
		old := make([]redis.Z, 40_000)
		for i := range old {
			old[i] = redis.Z{Member: strconv.Itoa(i), Score: score - float64(4*lock.StoreRememberFor.Milliseconds()) - float64(4*i)}
		}
		r.client.ZAdd(r.Context(), expiry, old...)
		r.client.ZAdd(r.Context(), expiry, redis.Z{Member: "young", Score: score})
		for _, want := range []int64{40_003 - 32_768, 3} {
			r.pass(2 * time.Millisecond)
			r.extend(lock.StoreRenewal{StoreTicket: held.StoreTicket, TTL: time.Hour})
			if n := r.client.ZCard(r.Context(), expiry).Val(); n != want {
				r.Errorf("%d entries are left, want %d", n, want)
			}
		}
	})
}

func TestAStormOfExpiriesIsSweptInBoundedSteps(t *testing.T) {
	everywhere(t, func(r *rig) {
		const n = 300
		for i := range n {
			r.take(lock.Span("a", int64(i), int64(i)+1), 3*time.Second)
		}
		r.pass(3 * time.Second)
		unrecorded := r.keys("rooms", "hotel")[3]
		swept := r.client.ZCard(r.Context(), unrecorded).Val() // a busy machine may have taken longer than that
		for i := range 6 {
			_, g := r.take(lock.Key("b"+strconv.Itoa(i)), time.Hour)
			if len(g.Expired) > 16 {
				r.Fatalf("one acquire returned %d, want 16 at most", len(g.Expired))
			}
			now := r.client.ZCard(r.Context(), unrecorded).Val()
			if now-swept > 64 {
				r.Fatalf("one acquire swept %d", now-swept)
			}
			swept = now
		}
		if swept != n {
			r.Errorf("six acquires swept %d, want %d", swept, n)
		}
		q := lock.StoreQuery{Space: "rooms", Group: "hotel", Limit: 7}
		some, err := r.Sweep(r.Context(), q, nil)
		if err != nil || len(some) != 7 || !slices.IsSortedFunc(some, func(a, b lock.Hold) int { return a.ExpiresAt.Compare(b.ExpiresAt) }) {
			r.Errorf("sweep returned %v, %v, want the seven oldest in order", ids(some), err)
		}
		if rest := r.sweep(ids(some)...); len(rest) != n-7 {
			r.Errorf("%d unrecorded, want %d", len(rest), n-7)
		}
	})
}

func TestAnExpiryThatIsNeverRecordedIsForgottenInTheEnd(t *testing.T) {
	virtual(t, func(r *rig) {
		unrecorded := r.keys("rooms", "hotel")[3]
		old, _ := r.take(lock.Key("old"), time.Second)
		time.Sleep(4 * 24 * time.Hour)
		young, _ := r.take(lock.Key("young"), time.Second)
		time.Sleep(4 * 24 * time.Hour)
		if got := ids(r.sweep()); !slices.Equal(got, []string{young.ID}) {
			t.Errorf("swept %v, want %v only: %v ended eight days ago", got, young.ID, old.ID)
		}
		for i := range 1034 { // more than the script keeps
			r.client.ZAdd(r.Context(), unrecorded, z("x"+strconv.Itoa(i)))
		}
		r.take(lock.Key("c"), time.Second)
		time.Sleep(time.Second)
		r.sweep()
		if n := r.client.ZCard(r.Context(), unrecorded).Val(); n > 1024 {
			t.Errorf("%d unrecorded, want at most 1024", n)
		}
	})
}

// quick reports whether the claim is granted by the quick path, whose answer
// is a string.
func (r *rig) quick(c lock.StoreClaim) bool {
	r.Helper()
	p := slices.Collect(c.Resource.Parts())[0]
	kind := digit(p)
	if p.Kind() == lock.Whole {
		kind = sole
	}
	answer, err := r.caller.Run(r.Context(), acquireScript, r.keys(c.Space, c.Group), c.ID, millis(c.TTL), millis(c.MaxHold), 0, c.Limit,
		head(c, kind, []lock.Resource{p}), tail(c), "", "", member(kind, p), 1)
	if err != nil {
		r.Fatal(err)
	}
	_, stamp := answer.(string)
	return stamp
}

func TestAGroupWakesFromAShortRestQuicklyAndForgetsNothing(t *testing.T) {
	for _, res := range []lock.Resource{lock.Key("a"), lock.Span("a", 1, 2)} {
		virtual(t, func(r *rig) {
			for i, rest := range []time.Duration{0, time.Second, 4 * time.Hour, 50 * time.Minute, time.Hour} {
				time.Sleep(rest) // with and without a memory of the last release
				c := r.claim(res, time.Minute)
				if quick, want := r.quick(c), i > 0 && rest < time.Hour; quick != want {
					r.Errorf("grant %d of %s, after %v, was quick: %t", i, res, rest, quick)
				}
				r.wantBlocked(res, c.ID)
				if s := r.release(c.StoreTicket); s != lock.StatusGranted {
					r.Errorf("release: status %d", s)
				}
			}
			c, _ := r.take(res, 30*24*time.Hour)
			time.Sleep(36 * 24 * time.Hour)
			if got := ids(r.sweep()); !slices.Equal(got, []string{c.ID}) {
				r.Errorf("six days after its end swept %v, want %v", got, c.ID)
			}
		})
	}
}

// The inbox of one who waited is still there, and would have its end noted.
func TestAHoldOutlivesTheRestThatCameBeforeIt(t *testing.T) {
	for what, next := range map[string]func(*rig){
		"a claim that was given up": func(r *rig) { r.release(r.claim(lock.Key("a"), time.Hour).StoreTicket) },
		"a sweep":                   func(r *rig) { r.sweep() },
		"another release": func(r *rig) {
			c, _ := r.take(lock.Key("a"), time.Hour)
			r.release(c.StoreTicket)
		},
	} {
		t.Run(what, func(t *testing.T) {
			virtual(t, func(r *rig) {
				if err := r.inbox.open(r.Context()); err != nil {
					r.Fatal(err)
				}
				held, _ := r.take(lock.Key("a"), time.Hour)
				waits := r.claim(lock.Key("a"), time.Hour)
				for waits.Queue = true; r.ask(waits).Place == 0; {
					time.Sleep(time.Millisecond)
				}
				r.release(waits.StoreTicket)
				r.release(held.StoreTicket)
				next(r)
				c, _ := r.take(lock.Key("b"), time.Hour)
				time.Sleep(time.Minute)
				r.wantBlocked(lock.Key("b"), c.ID)
			})
		})
	}
}

func TestAGroupThatWokeWithALaterEndMissesNoEarlierOne(t *testing.T) {
	everywhere(t, func(r *rig) {
		first, _ := r.take(lock.Key("a"), time.Hour)
		r.release(first.StoreTicket)
		r.take(lock.Key("b"), time.Hour)
		short, _ := r.take(lock.Key("c"), time.Second)
		r.pass(short.TTL)
		if _, g := r.take(lock.Key("d"), time.Hour); !slices.Equal(ids(g.Expired), []string{short.ID}) {
			r.Errorf("the next acquire found %v, want %v", ids(g.Expired), short.ID)
		}
	})
}

// A client may send a claim again so late that its hold has expired and was
// swept, but not recorded.
func TestAClaimThatComesAgainAfterItsEndIsNotListedAsExpired(t *testing.T) {
	for name, others := range map[string]bool{"at rest": false, "among others": true} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(r *rig) {
				c, _ := r.take(lock.Key("a"), time.Second)
				r.pass(c.TTL)
				if got := ids(r.sweep()); !slices.Equal(got, []string{c.ID}) {
					r.Fatalf("swept %v, want %v", got, c.ID)
				}
				if others {
					r.take(lock.Key("b"), time.Hour)
				}
				c.TTL = time.Hour
				if g := r.ask(c); g.Status != lock.StatusGranted {
					r.Fatalf("asked again: %s, want granted", describe(g))
				}
				if got := ids(r.sweep(c.ID)); len(got) != 0 {
					r.Errorf("listed as expired: %v", got)
				}
				if s := r.release(c.StoreTicket); s != lock.StatusGranted {
					r.Errorf("release: status %d, want granted", s)
				}
			})
		})
	}
}
