// SPDX-License-Identifier: MIT

package locktest

import (
	"maps"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

var grantRules = []rule{
	{"AReleaseGrantsToTheFirstWaiter", "A newcomer would take what another has waited for, and each turn would cost a round trip more.", releaseGrants},
	{"AnUnconfirmedGrantLapses", "A process that died while it waited would hold a room for all of its TTL.", unconfirmedLapses},
	{"ALapsedGrantGoesToTheNext", "A grant that got lost would keep all behind it waiting.", lapsedGoesOn},
	{"AConfirmationMovesTheDeadlineToTheTTL", "A lease that was waited for would end after two seconds, or use up an extension.", confirmMoves},
	{"AConfirmationRevivesNothing", "A grant that lapsed and went to another would have two holders.", confirmRevivesNothing},
	{"ARepeatedClaimConfirmsNothing", "A claim that is sent again by a client would hold a room for a process that is gone.", repeatedClaimOfGrant},
	{"AGrantIsNotBelievedTooLong", "A process would work on after its hold has ended and another has begun.", notBelievedTooLong},
}

// trial has a claim wait for r, and returns it once the store has granted it.
func (b *bench) trial(c lock.StoreClaim) lock.StoreClaim {
	b.Helper()
	holder := b.hold(c.Resource)
	c, _ = b.queued(c)
	b.release(holder.StoreTicket)
	h := b.holdOf(c)
	if !h.Unconfirmed {
		b.broken("the hold that a release granted is not Unconfirmed: %+v", h)
	}
	c.Fence = h.Fence
	return c
}

// holdOf returns the only hold that overlaps what c wants, which must be its
// own.
func (b *bench) holdOf(c lock.StoreClaim) lock.Hold {
	b.Helper()
	list := b.holds(c.Resource)
	if len(list) != 1 || list[0].ID != c.ID {
		b.broken("%s is held by %v, want %s", c.Resource, ids(list), c.ID)
	}
	return list[0]
}

func (b *bench) confirm(c lock.StoreClaim) lock.StoreGrant {
	b.Helper()
	return b.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: c.TTL, Confirm: true})
}

func releaseGrants(b *bench) {
	room := lock.Span("room", 3, 9)
	holder := b.hold(room)
	waiter := b.claim(room)
	waiter.Holder, waiter.Reason, waiter.Details = "ada", "booking", map[string]string{"channel": "web"}
	waiter, _ = b.queued(waiter)
	b.queue(room)
	b.release(holder.StoreTicket)
	h := b.holdOf(waiter)
	if !h.Unconfirmed || !b.near(h.Left, lock.StoreTrialTime) || h.Fence <= holder.Fence {
		b.broken("the hold after the release is %+v, want one for %s with a fence above %d", h, lock.StoreTrialTime, holder.Fence)
	}
	if g := b.blocked(b.claim(room)); len(g.Conflicts) != 1 || g.Conflicts[0].Hold.ID != waiter.ID || !b.near(g.Retry, lock.StoreTrialTime) {
		b.broken("in the way of a newcomer is %+v for %s, want the first waiter's hold", g.Conflicts, g.Retry)
	}
	got := b.received(waiter).Hold
	if got.ID != h.ID || got.Fence != h.Fence || !got.Unconfirmed || got.Holder != "ada" || got.Reason != "booking" ||
		!maps.Equal(got.Details, waiter.Details) || got.Resource.String() != room.String() || !got.AcquiredAt.Equal(h.AcquiredAt) || !got.ExpiresAt.Equal(h.ExpiresAt) {
		b.broken("the waiter got %+v, want %+v", got, h)
	}
}

func unconfirmedLapses(b *bench) {
	for _, ttl := range []time.Duration{long, b.short / 2} {
		c := b.claim(lock.Key("room"))
		c.TTL = ttl
		c = b.trial(c)
		lasts := min(ttl, lock.StoreTrialTime)
		if b.virtual {
			time.Sleep(lasts - time.Millisecond)
			b.blocked(b.claim(lock.Key("room")))
			lasts = time.Millisecond
		}
		b.outlast(lasts)
		after := b.hold(lock.Key("room"))
		due := b.sweep(0)
		if len(due) != 1 || due[0].ID != c.ID || due[0].Fence != c.Fence || !due[0].Unconfirmed {
			b.broken("expired are %+v, want the grant that was not confirmed", due)
		}
		b.sweep(0, c.ID)
		b.release(after.StoreTicket)
	}
}

func lapsedGoesOn(b *bench) {
	ctx := b.patience()
	holder := b.hold(lock.All(lock.Key("room"), lock.Key("suite")))
	other := b.hold(lock.Key("hall"))
	b.queue(lock.Key("room")) // and never heard of again
	var wait sync.WaitGroup
	for _, r := range []lock.Resource{lock.All(lock.Key("room"), lock.Key("suite")), lock.Key("room")} {
		next := b.queue(r)
		wait.Go(func() {
			if _, err := b.insist(ctx, next); err != nil {
				b.Errorf("%s behind a lapsed grant: %v", next.Resource, err)
			}
			b.release(next.StoreTicket)
		})
	}
	b.outlast(300 * time.Millisecond)
	start := time.Now()
	b.release(holder.StoreTicket)
	b.outlast(lock.StoreTrialTime)
	b.queue(other.Resource) // a sign of life of the same process
	wait.Wait()
	if took := time.Since(start); b.Failed() || b.virtual && took > lock.StoreTrialTime+3*time.Second {
		b.broken("those behind were served after %s, want %s and a few seconds", took, lock.StoreTrialTime)
	}
}

func confirmMoves(b *bench) {
	c := b.trial(b.claim(lock.Key("room")))
	for range 2 {
		g := b.confirm(c)
		if g.Status != lock.StatusGranted || !b.near(g.Hold.Left, long) || g.Hold.Unconfirmed || g.Hold.Extensions != 0 || g.Hold.Fence != c.Fence {
			b.broken("status %d with %+v, want Granted for %s with fence %d", g.Status, g.Hold, long, c.Fence)
		}
		if b.virtual {
			time.Sleep(lock.StoreTrialTime)
		}
	}
	if h := b.holdOf(c); h.Unconfirmed {
		b.broken("a confirmed hold is listed as %+v", h)
	}
	if g := b.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: long, MaxExtensions: 1, Count: true, Nonce: "1"}); g.Status != lock.StatusGranted || g.Hold.Extensions != 1 {
		b.broken("the first extension after two confirmations: status %d with %+v", g.Status, g.Hold)
	}
	limited := b.claim(lock.Key("suite"))
	limited.TTL, limited.MaxHold = lock.StoreTrialTime, lock.StoreTrialTime
	if g := b.confirm(b.trial(limited)); g.Status != lock.StatusGranted || !b.near(g.Hold.Left, limited.MaxHold) {
		b.broken("where MaxHold leaves nothing to gain: status %d with %+v, want Granted", g.Status, g.Hold)
	}
	limited = b.claim(lock.Key("hall"))
	limited.MaxHold = time.Minute
	if g := b.confirm(b.trial(limited)); g.Status != lock.StatusGranted || !b.near(g.Hold.Left, limited.MaxHold) {
		b.broken("with a MaxHold of %s: status %d with %+v", limited.MaxHold, g.Status, g.Hold)
	}
}

func confirmRevivesNothing(b *bench) {
	lapsed := b.trial(b.claim(lock.Key("room")))
	b.outlast(lock.StoreTrialTime)
	released := b.trial(b.claim(lock.Key("suite")))
	b.release(released.StoreTicket)
	givenUp := b.trial(b.claim(lock.Key("hall")))
	unknown := givenUp.StoreTicket
	unknown.Fence = 0
	b.release(unknown)
	foreign := b.trial(b.claim(lock.Key("cellar")))
	foreign.Token += "x"
	for what, c := range map[string]lock.StoreClaim{"lapsed": lapsed, "released": released, "given up": givenUp, "another's": foreign} {
		b.want(b.confirm(c).Status, lock.StatusMissing, "confirming a grant that is %s", what)
	}
	b.hold(lock.All(lock.Key("room"), lock.Key("suite"), lock.Key("hall")))
	if h := b.holdOf(foreign); !h.Unconfirmed {
		b.broken("another confirmed the hold: %+v", h)
	}
}

func repeatedClaimOfGrant(b *bench) {
	c := b.trial(b.claim(lock.Key("room")))
	first := b.acquire(c)
	if b.virtual {
		time.Sleep(lock.StoreTrialTime / 2)
	}
	again := b.acquire(c)
	for _, g := range []lock.StoreGrant{first, again} {
		if g.Status != lock.StatusGranted || !g.Hold.Unconfirmed || g.Hold.Fence != c.Fence || g.Hold.Left > lock.StoreTrialTime || !g.Hold.ExpiresAt.Equal(first.Hold.ExpiresAt) {
			b.broken("status %d with %+v, want Granted as it stands: %+v", g.Status, g.Hold, first.Hold)
		}
	}
	if h := b.holdOf(c); !h.Unconfirmed || !h.ExpiresAt.Equal(first.Hold.ExpiresAt) {
		b.broken("after two repeated claims the hold is %+v, want it unchanged", h)
	}
}

func notBelievedTooLong(b *bench) {
	for range 3 {
		c := b.trial(b.claim(lock.Key("room")))
		if b.virtual {
			time.Sleep(lock.StoreTrialTime / 2)
		}
		g := b.received(c)
		if g.Since.IsZero() {
			b.broken("a grant from Wait has no Since")
		}
		// The store's clock is this machine's, and may be read in milliseconds.
		end := g.Since.Round(0).Add(g.Hold.Left)
		if real := b.holdOf(c).ExpiresAt; end.After(real.Add(time.Millisecond)) || !b.near(end.Sub(real), 0) && b.virtual {
			b.broken("the waiter believes until %s, the store holds until %s", end, real)
		}
		b.release(c.StoreTicket)
		if b.virtual {
			time.Sleep(700 * time.Millisecond) // until nothing is known of the store's time any more
		}
	}
}
