// SPDX-License-Identifier: MIT

package locktest

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

var waitRules = []rule{
	{"AWaiterGetsItsTurn", "A guest who waits would never be served although the room is free.", waiterGetsTurn},
	{"AWaiterOutlastsACrashedHolder", "A holder that never releases would keep waiters for longer than its TTL.", waiterOutlasts},
	{"NoOneOvertakesAWaiter", "A newcomer would take what another has waited for.", noOneOvertakes},
	{"WaitersForDifferentThingsDoNotWaitForEachOther", "One room that is taken would hold up the whole hotel.", apartDoNotWait},
	{"ADeadWaiterDropsOut", "A process that died while it waited would hold up all behind for ever.", deadDropOut},
	{"WaitEndsWithItsContext", "A caller who has left would keep a goroutine waiting.", waitEnds},
}

// insist repeats a queued claim until it is granted.
func (b *bench) insist(ctx context.Context, c lock.StoreClaim) (lock.StoreGrant, error) {
	c.Queue = true
	for {
		g, err := b.store.Acquire(ctx, c)
		if err != nil || g.Status == lock.StatusGranted {
			return g, err
		}
		if g, err = b.store.Wait(ctx, c, g); err != nil || g.Status == lock.StatusGranted {
			return g, err
		}
	}
}

// queued tries a claim, which must be blocked, until it has a place.
func (b *bench) queued(c lock.StoreClaim) (lock.StoreClaim, lock.StoreGrant) {
	b.Helper()
	c.Queue = true
	for range 5 {
		g := b.blocked(c)
		if g.Place > 0 {
			return c, g
		}
		ctx, cancel := context.WithTimeout(b.ctx, b.short)
		_, _ = b.store.Wait(ctx, c, g)
		cancel()
	}
	b.broken("a claim that waits gets no place in the queue")
	return c, lock.StoreGrant{}
}

// queue has a claim of r wait, which must be blocked.
func (b *bench) queue(r lock.Resource) lock.StoreClaim {
	b.Helper()
	c, _ := b.queued(b.claim(r))
	return c
}

// received returns the grant that the store has made to a claim that waits.
func (b *bench) received(c lock.StoreClaim) lock.StoreGrant {
	b.Helper()
	ctx := b.patience()
	g, err := b.store.Wait(ctx, c, lock.StoreGrant{Status: lock.StatusBlocked, Place: 1})
	if err != nil || g.Status != lock.StatusGranted {
		b.broken("Wait(%s) = status %d, %v; want the grant that was made", c.Resource, g.Status, err)
	}
	return g
}

// heldBy reports a breach unless exactly these claims hold what overlaps r.
func (b *bench) heldBy(r lock.Resource, claims ...lock.StoreClaim) {
	b.Helper()
	var want []string
	for _, c := range claims {
		want = append(want, c.ID)
	}
	if got := ids(b.holds(r)); !sameSet(got, want) {
		b.broken("%s is held by %v, want %v", r, got, want)
	}
}

func noOneOvertakes(b *bench) {
	c := b.hold(lock.Key("room"))
	first := b.queue(lock.All(lock.Key("other"), lock.Span("room", 1, 5)))
	other := b.hold(lock.Key("other"))
	b.release(c.StoreTicket)
	late := b.claim(lock.Span("room", 4, 6))
	late.Queue = true
	if g := b.blocked(late); len(g.Conflicts) != 0 {
		b.broken("behind a waiter: %d conflicts, want none", len(g.Conflicts))
	}
	b.release(other.StoreTicket)
	b.granted(first)
	b.blocked(late)
	b.release(first.StoreTicket)
	b.granted(late)
}

func apartDoNotWait(b *bench) {
	b.hold(lock.Key("taken"))
	b.queue(lock.All(lock.Key("taken"), lock.Span("room", 1, 5)))
	for _, apart := range []lock.Resource{lock.Span("room", 5, 6), lock.Key("other")} {
		c := b.claim(apart)
		c.Queue = true
		b.granted(c)
	}
	b.hold(lock.Span("room", 1, 5)) // a claim that does not wait passes those that do
}

func deadDropOut(b *bench) {
	ctx := b.patience()
	c := b.hold(lock.Key("room"))
	b.queue(lock.Key("room")) // and never seen again
	start := time.Now()
	b.release(c.StoreTicket)
	if _, err := b.insist(ctx, b.claim(lock.Key("room"))); err != nil {
		b.broken("after %s behind a dead waiter: %v", time.Since(start), err)
	}
}

func waiterGetsTurn(b *bench) {
	ctx := b.patience()
	c := b.hold(lock.Span("room", 1, 5))
	granted := make(chan error, 1)
	waiter := b.claim(lock.Span("room", 4, 6))
	go func() { _, err := b.insist(ctx, waiter); granted <- err }()
	select {
	case err := <-granted:
		b.broken("the wait ended while the room was taken: %v", err)
	case <-time.After(b.short):
	}
	b.release(c.StoreTicket)
	if err := <-granted; err != nil {
		b.broken("the room is free, and the waiter got %v", err)
	}
}

func waiterOutlasts(b *bench) {
	ctx := b.patience()
	b.brief(lock.Key("room"))
	if _, err := b.insist(ctx, b.claim(lock.Key("room"))); err != nil {
		b.broken("the hold has expired, and the waiter got %v", err)
	}
}

func waitEnds(b *bench) {
	b.hold(lock.Key("room"))
	ctx, cancel := context.WithTimeout(b.ctx, b.short)
	defer cancel()
	if _, err := b.insist(ctx, b.claim(lock.Key("room"))); !errors.Is(err, context.DeadlineExceeded) {
		b.broken("the wait ended with %v, want the context's error", err)
	}
}
