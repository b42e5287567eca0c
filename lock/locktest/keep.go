// SPDX-License-Identifier: MIT

package locktest

import (
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

var keepRules = []rule{
	{"AKeptHoldStaysAfterItsRelease", "A job that runs once in a fleet would run twice.", keptStays},
	{"AKeptHoldEndsInTime", "A job that runs once in a fleet would not run the next time.", keptEnds},
	{"AReleaseOfAKeptHoldIsFinal", "A lease that was released would come back to life, or seem lost to its holder.", keptIsFinal},
	{"AKeptHoldNeverExpires", "The audit trail would report the expiry of a hold that was released.", keptNeverExpires},
}

// keep holds r with KeepAtLeast, and releases it.
func (b *bench) keep(r lock.Resource, atLeast time.Duration) lock.StoreClaim {
	b.Helper()
	c := b.claim(r)
	c.KeepAtLeast = atLeast
	c = b.granted(c)
	b.want(b.release(c.StoreTicket), lock.StatusGranted, "releasing it before KeepAtLeast")
	return c
}

func keptStays(b *bench) {
	c := b.keep(lock.All(lock.Key("a"), lock.Span("b", 1, 9)), time.Minute)
	g := b.blocked(b.claim(lock.Span("b", 5, 6)))
	if len(g.Conflicts) != 1 || g.Conflicts[0].Hold.ID != c.ID || !b.near(g.Retry, time.Minute) {
		b.broken("in the way is %+v for %s, want the released hold for 1m0s", g.Conflicts, g.Retry)
	}
	if h := b.holdOf(c); !b.near(h.Left, time.Minute) {
		b.broken("the released hold is listed with %s left, want 1m0s", h.Left)
	}
	c.Token, c.Force = "", true
	b.want(b.release(c.StoreTicket), lock.StatusGranted, "releasing it by force")
	b.hold(c.Resource)
}

func keptEnds(b *bench) {
	ctx := b.patience()
	b.keep(lock.Key("room"), b.short)
	start := time.Now()
	if _, err := b.insist(ctx, b.claim(lock.Key("room"))); err != nil || b.virtual && time.Since(start) != b.short {
		b.broken("one who waits for a hold kept for %s got it after %s, %v", b.short, time.Since(start), err)
	}
	c := b.claim(lock.Key("suite"))
	c.KeepAtLeast = b.short
	c = b.granted(c)
	b.outlast(b.short)
	b.release(c.StoreTicket)
	b.hold(lock.Key("suite"))

	waits := b.claim(lock.Key("hall"))
	waits.KeepAtLeast = time.Minute
	waits = b.trial(waits)
	b.confirm(waits)
	b.release(waits.StoreTicket)
	if h := b.holdOf(waits); !b.near(h.Left, time.Minute) {
		b.broken("one who waited has released it, and %s are left, want 1m0s", h.Left)
	}
}

func keptIsFinal(b *bench) {
	c := b.keep(lock.Key("room"), time.Minute)
	for what, r := range map[string]lock.StoreRenewal{"extending": {TTL: long}, "confirming": {TTL: long, Confirm: true}, "looking at": {}} {
		r.StoreTicket = c.StoreTicket
		b.want(b.extend(r).Status, lock.StatusMissing, "%s a released hold", what)
	}
	b.want(b.acquire(c).Status, lock.StatusMissing, "its claim once more")
	brief := b.keep(lock.Key("suite"), b.short)
	b.outlast(b.short)
	b.want(b.acquire(brief).Status, lock.StatusMissing, "the claim of what is kept no more")
	for range 2 {
		b.want(b.release(c.StoreTicket), lock.StatusGranted, "a repeated release")
		b.want(b.release(brief.StoreTicket), lock.StatusGranted, "a repeated release of what is kept no more")
	}
	b.hold(lock.Key("suite"))
}

func keptNeverExpires(b *bench) {
	b.keep(lock.Key("room"), b.short)
	b.outlast(b.short)
	b.hold(lock.Key("room"))
	if due := b.sweep(0); len(due) != 0 {
		b.broken("%v expired, though it was released", ids(due))
	}
}
