// SPDX-License-Identifier: MIT

package locktest

import (
	"crypto/rand"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

var takeOverRules = []rule{
	{"TakingOverChangesTheToken", "One Ref that is resumed twice would make two holders.", takeOverToken},
	{"ARepeatedTakeOverIsTheSame", "A client that repeats a request whose answer got lost would lose its lease to itself.", takeOverTwice},
	{"TheOldTokenTakesOverAgain", "A Ref would be of no use when the process that resumed it has died.", takeOverAgain},
	{"OnlyALiveHoldIsTakenOver", "A hold that ended would come back to life, or change hands.", takeOverLive},
	{"TheFormerHolderHearsOfIt", "A process would work on with a lease that another has.", formerHolder},
}

// takeOver takes the hold of c over and returns c with the new token.
func (b *bench) takeOver(c lock.StoreClaim) lock.StoreClaim {
	b.Helper()
	token := rand.Text()
	g := b.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TakeOver: token})
	if g.Status != lock.StatusGranted || g.Hold.ID != c.ID || g.Hold.Fence <= c.Fence {
		b.broken("taking over: status %d with %+v, want Granted with a fence above %d", g.Status, g.Hold, c.Fence)
	}
	c.Token, c.Fence = token, g.Hold.Fence
	return c
}

// refused reports a breach if the token of c can do anything but take over.
func (b *bench) refused(c lock.StoreClaim) {
	b.Helper()
	for what, r := range map[string]lock.StoreRenewal{"extends": {TTL: 2 * long, Count: true, Nonce: "x"}, "looks": {}, "confirms": {TTL: 2 * long, Confirm: true}} {
		r.StoreTicket = c.StoreTicket
		b.want(b.extend(r).Status, lock.StatusMissing, "the former token %s", what)
	}
	b.want(b.release(c.StoreTicket), lock.StatusMissing, "the former token releases")
}

func takeOverToken(b *bench) {
	before := b.hold(lock.All(lock.Key("a"), lock.Span("b", 1, 9)))
	was := b.holdOf(before)
	after := b.takeOver(before)
	b.refused(before)
	h := b.holdOf(after)
	if h.Fence != after.Fence || !h.ExpiresAt.Equal(was.ExpiresAt) || !h.AcquiredAt.Equal(was.AcquiredAt) || h.Holder != was.Holder || h.Extensions != 0 {
		b.broken("after it was taken over the hold is %+v, want %+v with another fence", h, was)
	}
	if later := b.hold(lock.Key("c")); later.Fence <= after.Fence {
		b.broken("the next fence is %d, after %d of one who took over", later.Fence, after.Fence)
	}
	if g := b.extend(lock.StoreRenewal{StoreTicket: after.StoreTicket, TTL: 2 * long, Count: true, Nonce: "1"}); g.Status != lock.StatusGranted || !b.near(g.Hold.Left, 2*long) {
		b.broken("the new token does not extend: status %d", g.Status)
	}
	b.want(b.release(after.StoreTicket), lock.StatusGranted, "releasing with the new token")
	b.hold(before.Resource)
}

func takeOverTwice(b *bench) {
	c := b.hold(lock.Key("room"))
	r := lock.StoreRenewal{StoreTicket: c.StoreTicket, TakeOver: rand.Text()}
	first, second := b.extend(r), b.extend(r)
	if first.Status != lock.StatusGranted || second.Status != lock.StatusGranted || second.Hold.Fence != first.Hold.Fence {
		b.broken("status %d with fence %d, then status %d with fence %d; want the same", first.Status, first.Hold.Fence, second.Status, second.Hold.Fence)
	}
}

func takeOverAgain(b *bench) {
	ref := b.hold(lock.Key("room"))
	first := b.takeOver(ref)
	ref.Fence = first.Fence
	second := b.takeOver(ref)
	b.refused(first)
	b.want(b.extend(lock.StoreRenewal{StoreTicket: first.StoreTicket, TakeOver: rand.Text()}).Status, lock.StatusMissing, "one who was taken over takes over")
	third := b.takeOver(second) // from now on the Ref is the second's
	b.want(b.extend(lock.StoreRenewal{StoreTicket: ref.StoreTicket, TakeOver: rand.Text()}).Status, lock.StatusMissing, "a token of before the last Ref takes over")
	b.want(b.release(third.StoreTicket), lock.StatusGranted, "releasing what was taken over")
}

func takeOverLive(b *bench) {
	missing := func(what string, c lock.StoreClaim) {
		b.Helper()
		b.want(b.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TakeOver: rand.Text()}).Status, lock.StatusMissing, "taking over %s", what)
	}
	foreign := b.hold(lock.Key("room"))
	for _, token := range []string{"", "x", foreign.Token + "x"} {
		foreign.Token = token
		missing("with another token", foreign)
	}
	released := b.hold(lock.Key("suite"))
	b.release(released.StoreTicket)
	missing("a released hold", released)
	kept := b.claim(lock.Key("hall"))
	kept.KeepAtLeast = long
	kept = b.granted(kept)
	b.release(kept.StoreTicket)
	missing("a hold that is only kept", kept)
	b.want(b.release(kept.StoreTicket), lock.StatusGranted, "after that, a repeated release")
	waits := b.queue(lock.Key("room"))
	missing("a claim that waits", waits)
	expired := b.brief(lock.Key("cellar"))
	b.outlast(b.short)
	missing("an expired hold", expired)
	b.hold(lock.All(lock.Key("suite"), lock.Key("cellar")))
}

func formerHolder(b *bench) {
	force := func(c lock.StoreClaim) lock.StoreClaim {
		c.Token, c.Force = "", true
		b.want(b.release(c.StoreTicket), lock.StatusGranted, "releasing by force")
		return c
	}
	own := func(c lock.StoreClaim) lock.StoreClaim { b.release(c.StoreTicket); return c }
	for _, end := range []struct {
		what string
		by   func(lock.StoreClaim) lock.StoreClaim
		lost int
	}{{"taken over", b.takeOver, 1}, {"released by force", force, 1}, {"released", own, 0}} {
		c := b.hold(lock.Key("room"))
		heard := make(chan struct{}, 8)
		for range 3 { // a store may need a moment to hear of it
			b.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: long, Lost: func() { heard <- struct{}{} }})
			b.outlast(b.short / 2)
		}
		b.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: long, Count: true, Nonce: "1"}) // of one who only extends
		after := end.by(c)
		if end.lost > 0 {
			select {
			case <-heard:
			case <-time.After(5 * time.Second):
				b.broken("a hold was %s, and its former holder hears nothing of it", end.what)
			}
		}
		b.outlast(b.short / 2)
		if len(heard) > 0 {
			b.broken("a hold was %s, and its former holder hears of it %d times more", end.what, len(heard))
		}
		b.release(after.StoreTicket)
	}
}
