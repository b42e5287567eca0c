// SPDX-License-Identifier: MIT

package locktest

import (
	"context"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

var giveUpRules = []rule{
	{"GivingUpLeavesTheQueue", "A guest who has left would hold up all behind.", giveUpLeaves},
	{"ManyMayGiveUpAtOnce", "A hundred guests who left together would hold up all behind for seconds.", manyGiveUp},
	{"AGrantThatIsGivenUpPassesOn", "A guest who leaves at the moment of the grant would keep the room.", givenUpPassesOn},
	{"GivingUpRacesWithTheRelease", "A guest who leaves at the moment of the grant would keep the room.", giveUpRaces},
}

// wide waits for the room, and has others wait for it in the hall.
var wide = lock.All(lock.Key("room"), lock.Span("hall", 1, 9))

func giveUpLeaves(b *bench) {
	c := b.hold(lock.Key("room"))
	gone, next := b.queue(lock.Key("room")), b.queue(lock.Key("room"))
	b.release(gone.StoreTicket)
	b.want(b.acquire(gone).Status, lock.StatusMissing, "the claim that was given up")
	if g := b.blocked(next); g.Place != 1 {
		b.broken("behind one that was given up: place %d, want 1", g.Place)
	}
	b.release(c.StoreTicket)
	b.heldBy(lock.Key("room"), next)

	// What only stood in line frees, too.
	hall := b.queue(wide)
	behind := b.queue(lock.Span("hall", 1, 2))
	b.heldBy(lock.Key("hall"))
	b.release(hall.StoreTicket)
	b.heldBy(lock.Key("hall"), behind)
}

func manyGiveUp(b *bench) {
	c := b.hold(lock.Key("room"))
	first := b.queue(lock.Key("room"))
	var gone []lock.StoreTicket
	for range 100 {
		gone = append(gone, b.queue(wide).StoreTicket)
	}
	last, behind := b.queue(lock.Key("room")), b.queue(lock.Span("hall", 2, 3))
	answers, err := b.store.Release(b.ctx, gone)
	if err != nil || len(answers) != len(gone) {
		b.broken("%d answers to %d that give up, %v", len(answers), len(gone), err)
	}
	for _, g := range answers {
		if g.Status != lock.StatusMissing {
			b.broken("giving up a claim that waits: status %d, want Missing", g.Status)
		}
	}
	b.heldBy(lock.Key("hall"), behind)
	if g := b.blocked(last); g.Place != 2 {
		b.broken("after all between gave up: place %d, want 2", g.Place)
	}
	b.release(c.StoreTicket)
	b.heldBy(lock.Key("room"), first)
	b.release(first.StoreTicket)
	b.heldBy(lock.Key("room"), last)
}

func givenUpPassesOn(b *bench) {
	c := b.trial(b.claim(lock.Key("room")))
	next := b.queue(lock.Key("room"))
	unknown := c.StoreTicket
	unknown.Fence = 0
	for range 2 {
		b.want(b.release(unknown), lock.StatusGranted, "giving up what was granted")
	}
	b.heldBy(lock.Key("room"), next)
	b.want(b.acquire(c).Status, lock.StatusMissing, "the claim that was given up")
	b.release(next.StoreTicket)
	if b.virtual {
		time.Sleep(lock.StoreTrialTime)
	}
	if due := b.sweep(0); len(due) != 0 {
		b.broken("%v expired, though each was released", ids(due))
	}
}

// giveUpRaces has each of many claims wait and give up at about the moment of
// its grant. Whatever came first, the last one, which stays, is granted.
func giveUpRaces(b *bench) {
	for range 5 {
		holder := b.hold(lock.Key("room"))
		ctx := b.patience()
		leave, left := context.WithCancel(ctx)
		var leavers sync.WaitGroup
		for range 20 {
			c := b.queue(lock.Key("room"))
			leavers.Go(func() {
				_, _ = b.insist(leave, c)
				_, _ = b.store.Release(ctx, []lock.StoreTicket{c.StoreTicket})
			})
		}
		stays := b.queue(lock.Key("room"))
		leavers.Go(left)
		b.release(holder.StoreTicket)
		leavers.Wait()
		if _, err := b.insist(ctx, stays); err != nil {
			b.broken("after all before it gave up: %v", err)
		}
		b.holdOf(stays)
		b.release(stays.StoreTicket)
	}
	b.heldBy(lock.Resource{})
	b.hold(lock.Key("room"))
}
