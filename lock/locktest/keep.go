// SPDX-License-Identifier: MIT

package locktest

import (
	"context"
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
func (b *bench) keep(r lock.Resource, atLeast time.Duration) lock.Claim {
	b.Helper()
	c := b.claim(r)
	c.KeepAtLeast = atLeast
	c = b.granted(c)
	if s := b.release(c.Ticket); s != lock.Granted {
		b.broken("releasing it before KeepAtLeast: status %d, want Granted", s)
	}
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
	if s := b.release(c.Ticket); s != lock.Granted {
		b.broken("releasing it by force: status %d, want Granted", s)
	}
	b.hold(c.Resource)
}

func keptEnds(b *bench) {
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	b.keep(lock.Key("room"), b.short)
	start := time.Now()
	if _, err := b.insist(ctx, b.claim(lock.Key("room"))); err != nil || b.virtual && time.Since(start) != b.short {
		b.broken("one who waits for a hold kept for %s got it after %s, %v", b.short, time.Since(start), err)
	}
	c := b.claim(lock.Key("suite"))
	c.KeepAtLeast = b.short
	c = b.granted(c)
	b.outlast(b.short)
	b.release(c.Ticket)
	b.hold(lock.Key("suite"))

	waits := b.claim(lock.Key("hall"))
	waits.KeepAtLeast = time.Minute
	waits = b.trial(waits)
	b.confirm(waits)
	b.release(waits.Ticket)
	if h := b.holdOf(waits); !b.near(h.Left, time.Minute) {
		b.broken("one who waited has released it, and %s are left, want 1m0s", h.Left)
	}
}

func keptIsFinal(b *bench) {
	c := b.keep(lock.Key("room"), b.short)
	for what, r := range map[string]lock.Renewal{"extending": {TTL: long}, "confirming": {TTL: long, Confirm: true}, "looking at": {}} {
		r.Ticket = c.Ticket
		if g := b.extend(r); g.Status != lock.Missing {
			b.broken("%s a released hold: status %d, want Missing", what, g.Status)
		}
	}
	if g := b.acquire(c); g.Status != lock.Missing {
		b.broken("its claim once more: status %d, want Missing", g.Status)
	}
	for range 2 {
		for range 2 {
			if s := b.release(c.Ticket); s != lock.Granted {
				b.broken("a repeated release: status %d, want Granted", s)
			}
		}
		b.outlast(b.short)
	}
	b.hold(lock.Key("room"))
}

func keptNeverExpires(b *bench) {
	b.keep(lock.Key("room"), b.short)
	b.outlast(b.short)
	b.hold(lock.Key("room"))
	if due := b.sweep(0); len(due) != 0 {
		b.broken("%v expired, though it was released", ids(due))
	}
}
