// SPDX-License-Identifier: MIT

package locktest

import (
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

var extendRules = []rule{
	{"ExtendMovesTheDeadline", "A holder who renews in time would lose the lease.", extendMoves},
	{"ExtendNeverShortens", "A holder would believe in a lease that the store has ended.", extendNeverShortens},
	{"ExtendNeverRevives", "A hold that another may have taken meanwhile would come back to life.", extendNeverRevives},
	{"ExtendNeedsTheToken", "Anyone who reads a hold's id could prolong it.", extendNeedsToken},
	{"ALookChangesNothing", "Resuming a lease would prolong it beyond its limits.", lookChangesNothing},
	{"MaxExtensionsCountsTheHoldersOwn", "The limit would end a lease that the watchdog renews, or not limit its holder.", maxExtensions},
	{"ARepeatedExtensionCountsOnce", "A client that repeats a request whose answer got lost would use up the limit.", repeatedExtension},
	{"MaxHoldLimitsEverything", "A lease could be held forever.", maxHold},
	{"ABatchIsAnsweredOneByOne", "One lost lease would take others along, or be taken for another.", batch},
	{"AnEmptyBatchIsFine", "A watchdog with nothing to renew would fail.", emptyBatch},
}

func extendMoves(b *bench) {
	c := b.brief(lock.Key("room"))
	g := b.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: time.Minute, Count: true, Nonce: "1"})
	if g.Status != lock.StatusGranted || !b.near(g.Hold.Left, time.Minute) || g.Hold.Extensions != 1 || g.Hold.ID != c.ID || g.Hold.Resource.Name() != "room" {
		b.broken("status %d with %+v, want Granted with one minute left and one extension", g.Status, g.Hold)
	}
	b.outlast(c.TTL)
	b.blocked(b.claim(lock.Key("room")))
	if due := b.sweep(0); len(due) != 0 {
		b.broken("an extended hold is listed as expired at its old deadline")
	}
}

func extendNeverShortens(b *bench) {
	c := b.hold(lock.Key("room"))
	g := b.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: b.short, Count: true, Nonce: "1"})
	if g.Status != lock.StatusGranted || !b.near(g.Hold.Left, long) {
		b.broken("status %d with %s left, want Granted with %s", g.Status, g.Hold.Left, long)
	}
}

func extendNeverRevives(b *bench) {
	c := b.brief(lock.Key("room"))
	b.outlast(c.TTL)
	b.want(b.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: long}).Status, lock.StatusMissing, "extending an expired hold")
	b.hold(lock.Key("room"))
	gone := b.hold(lock.Key("other"))
	b.release(gone.StoreTicket)
	b.want(b.extend(lock.StoreRenewal{StoreTicket: gone.StoreTicket, TTL: long}).Status, lock.StatusMissing, "extending a released hold")
	b.hold(lock.Key("other"))
}

func extendNeedsToken(b *bench) {
	c := b.hold(lock.Key("room"))
	for _, token := range []string{"", "x", c.Token + "x", c.Token[1:]} {
		t := c.StoreTicket
		t.Token = token
		if g := b.extend(lock.StoreRenewal{StoreTicket: t, TTL: 2 * long, Count: true, Nonce: "1"}); g.Status != lock.StatusMissing || g.Hold.ID != "" {
			b.broken("extending with the token %q answers status %d and %+v, want Missing and nothing", token, g.Status, g.Hold)
		}
	}
	if h := b.holds(lock.Key("room"))[0]; h.Extensions != 0 || h.Left > long {
		b.broken("a foreign token changed the hold to %+v", h)
	}
}

func lookChangesNothing(b *bench) {
	c := b.claim(lock.Key("room"))
	c.MaxHold = long
	b.granted(c)
	g := b.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket})
	if g.Status != lock.StatusGranted || !b.near(g.Hold.Left, long) || g.Hold.Extensions != 0 || g.Hold.Fence == 0 || g.Hold.Holder != "guest" {
		b.broken("a look answers status %d with %+v", g.Status, g.Hold)
	}
}

func maxExtensions(b *bench) {
	c := b.claim(lock.Key("room"))
	c.TTL = time.Minute
	b.granted(c)
	extend := func(n int, count bool, ttl time.Duration) lock.StoreGrant {
		return b.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: ttl, MaxExtensions: 2, Count: count, Nonce: fmt.Sprint(n)})
	}
	for n := range 2 {
		if g := extend(n, true, 2*time.Minute); g.Status != lock.StatusGranted || g.Hold.Extensions != n+1 {
			b.broken("extension %d of 2: status %d, %d counted", n+1, g.Status, g.Hold.Extensions)
		}
		if g := extend(0, false, 2*time.Minute); g.Status != lock.StatusGranted || g.Hold.Extensions != n+1 {
			b.broken("a renewal after extension %d: status %d, %d counted", n+1, g.Status, g.Hold.Extensions)
		}
	}
	if g := extend(3, true, 3*time.Minute); g.Status != lock.StatusCapped || !b.near(g.Hold.Left, 2*time.Minute) || g.Hold.Extensions != 2 {
		b.broken("extension 3 of 2: status %d with %+v, want Capped with the hold as it was", g.Status, g.Hold)
	}
	if g := extend(0, false, 4*time.Minute); g.Status != lock.StatusGranted || !b.near(g.Hold.Left, 4*time.Minute) {
		b.broken("a renewal after the limit: status %d with %s left, want Granted", g.Status, g.Hold.Left)
	}
}

func repeatedExtension(b *bench) {
	c := b.hold(lock.Key("room"))
	r := lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: long, MaxExtensions: 1, Count: true, Nonce: "same"}
	for range 3 {
		if g := b.extend(r); g.Status != lock.StatusGranted || g.Hold.Extensions != 1 {
			b.broken("status %d, %d extensions counted, want Granted and 1", g.Status, g.Hold.Extensions)
		}
	}
	r.Nonce = "new"
	b.want(b.extend(r).Status, lock.StatusCapped, "a new extension beyond the limit")
}

func maxHold(b *bench) {
	c := b.claim(lock.Key("room"))
	c.TTL, c.MaxHold = time.Minute, 3*time.Minute
	b.granted(c)
	if g := b.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: 2 * time.Minute}); g.Status != lock.StatusGranted || !b.near(g.Hold.Left, 2*time.Minute) {
		b.broken("within MaxHold: status %d with %s left", g.Status, g.Hold.Left)
	}
	if g := b.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: long}); g.Status != lock.StatusGranted || !b.near(g.Hold.Left, 3*time.Minute) {
		b.broken("cut by MaxHold: status %d with %s left, want Granted with 3m0s", g.Status, g.Hold.Left)
	}
	for _, count := range []bool{true, false} {
		g := b.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: long, Count: count, Nonce: "n"})
		if g.Status != lock.StatusCapped || !b.near(g.Hold.Left, 3*time.Minute) || g.Hold.Extensions != 0 {
			b.broken("at MaxHold: status %d with %+v, want Capped with the hold as it was", g.Status, g.Hold)
		}
	}
}

func batch(b *bench) {
	var rs []lock.StoreRenewal
	for i := range 200 {
		c := b.claim(lock.Key(fmt.Sprint("room", i)))
		c.TTL = time.Minute
		b.granted(c)
		rs = append(rs, lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: long})
		if i%3 == 1 {
			b.release(c.StoreTicket)
		}
	}
	gs, err := b.store.Extend(b.ctx, rs)
	if err != nil || len(gs) != len(rs) {
		b.broken("%d answers to %d renewals, %v", len(gs), len(rs), err)
	}
	for i, g := range gs {
		want := lock.StatusGranted
		if i%3 == 1 {
			want = lock.StatusMissing
		}
		if g.Status != want || want == lock.StatusGranted && (g.Hold.ID != rs[i].ID || !b.near(g.Hold.Left, long)) {
			b.broken("answer %d is status %d with %+v, want status %d", i, g.Status, g.Hold, want)
		}
	}
}

func emptyBatch(b *bench) {
	if gs, err := b.store.Extend(b.ctx, nil); err != nil || len(gs) != 0 {
		b.broken("%d answers, %v", len(gs), err)
	}
}
