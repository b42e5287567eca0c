// SPDX-License-Identifier: MIT

package locktest

import (
	"fmt"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

var orderRules = []rule{
	{"WaitersAreServedInOrder", "The caller that asks most often would get the room, and some guest never.", servedInOrder},
	{"ManyWaitersAreServedInOrder", "Callers beyond some number would wait for ever, or for each other's timeouts.", manyInOrder},
	{"WhatFitsTogetherIsGrantedTogether", "Rooms would stay empty while guests wait for them.", grantedTogether},
	{"ManyThatFitTogetherAreAllGranted", "Beyond some number, rooms would stay empty while guests wait for them.", manyTogether},
	{"ReadersAreLetInTogether", "Readers would wait for each other, or a writer for ever.", readersTogether},
	{"AFullQueueIsReported", "A queue would grow until the store has no memory left, or refuse without saying why.", fullQueue},
	{"WaitersForOtherNamesChangeNothing", "A busy room would slow the whole hotel.", othersChangeNothing},
}

// parts is so many names together.
func parts(prefix string, n int) lock.Resource {
	var list []lock.Resource
	for i := range n {
		list = append(list, lock.Key(fmt.Sprint(prefix, i)))
	}
	return lock.All(list...)
}

func servedInOrder(b *bench) {
	for _, line := range []struct {
		name     string
		capacity int
		resource func(i int) lock.Resource
	}{
		{"key", 1, func(int) lock.Resource { return lock.Key("key") }},
		{"span", 1, func(i int) lock.Resource { return lock.Span("span", 1, 2+int64(i)) }},
		{"units", 3, func(i int) lock.Resource { return lock.Key("units").Units(2 + i%2) }},
		{"span of units", 3, func(i int) lock.Resource { return lock.Span("span of units", int64(i), 20).Units(2) }},
		{"all", 1, func(i int) lock.Resource {
			return lock.All(lock.Key("all"), lock.Span("any", 5*int64(i), 5*int64(i)+9))
		}},
		{"mixed", 1, func(i int) lock.Resource {
			return []lock.Resource{lock.Key("mixed"), lock.Span("mixed", 1, 9), lock.All(lock.Key("mixed"), lock.Key("any")), lock.Nights("mixed", time.Unix(0, 0), time.Unix(1e6, 0))}[i%4]
		}},
	} {
		b.inTurn(line.name, 8, line.capacity, line.resource)
	}
}

func manyInOrder(b *bench) {
	b.inTurn("room", 200, 1, func(int) lock.Resource { return lock.Key("room") })
	b.inTurn("floor0", 65, 1, func(int) lock.Resource { return parts("floor", 5) })
}

// inTurn has n claims wait for a name and checks in which order they are
// granted. Each is released at once, so it takes no time.
func (b *bench) inTurn(name string, n, capacity int, resource func(i int) lock.Resource) {
	b.Helper()
	ctx := b.patience()
	c := b.granted(b.claimOf(capacity, lock.Key(name).Units(capacity)))
	type turn struct {
		waiter int
		fence  uint64
		err    error
	}
	turns := make(chan turn, n)
	var waiting sync.WaitGroup
	for i := range n {
		waiter, g := b.queued(b.claimOf(capacity, resource(i)))
		if g.Place != i+1 && name != "mixed" {
			b.broken("%s: waiter %d has place %d", name, i+1, g.Place)
		}
		waiting.Go(func() {
			g, err := b.insist(ctx, waiter)
			turns <- turn{i, g.Hold.Fence, err}
			_, _ = b.store.Release(b.ctx, []lock.StoreTicket{waiter.StoreTicket})
		})
	}
	start, last := time.Now(), c.Fence
	b.release(c.StoreTicket)
	for i := range n {
		got := <-turns
		if got.waiter != i || got.err != nil || got.fence <= last {
			b.broken("%s: turn %d of %d was waiter %d's, with fence %d after %d, %v", name, i+1, n, got.waiter+1, got.fence, last, got.err)
		}
		last = got.fence
	}
	waiting.Wait()
	if took := time.Since(start); b.virtual && took > 0 {
		b.broken("%s: %d turns took %s, though each was released at once", name, n, took)
	}
}

func grantedTogether(b *bench) {
	units := func(n int) lock.StoreClaim { return b.claimOf(3, lock.Key("hall").Units(n)) }
	all := b.granted(units(3))
	var waiters []lock.StoreClaim
	for range 4 {
		w, _ := b.queued(units(1))
		waiters = append(waiters, w)
	}
	b.release(all.StoreTicket)
	b.heldBy(lock.Key("hall"), waiters[:3]...)
	b.release(waiters[1].StoreTicket)
	b.heldBy(lock.Key("hall"), waiters[0], waiters[2], waiters[3])

	whole := b.hold(lock.Key("room"))
	left, right := b.queue(lock.Span("room", 1, 3)), b.queue(lock.Span("room", 3, 5))
	across, apart := b.queue(lock.Span("room", 2, 4)), b.queue(lock.All(lock.Key("suite"), lock.Span("room", 5, 6)))
	b.release(whole.StoreTicket)
	b.heldBy(lock.Key("room"), left, right, apart)
	b.release(left.StoreTicket)
	b.heldBy(lock.Key("room"), right, apart)
	b.release(right.StoreTicket)
	b.heldBy(lock.Key("room"), across, apart)
}

// manyTogether allows a store to grant them in several steps.
func manyTogether(b *bench) {
	const n = 150
	ctx := b.patience()
	whole := b.hold(lock.Key("room"))
	var waiters []lock.StoreClaim
	var all sync.WaitGroup
	for i := range int64(n) {
		w := b.queue(lock.Span("room", i, i+1))
		waiters = append(waiters, w)
		all.Go(func() {
			g, err := b.insist(ctx, w)
			if err != nil {
				b.Errorf("waiter %d: %v", i+1, err)
			}
			if g.Hold.Unconfirmed {
				b.confirm(w)
			}
		})
	}
	b.outlast(b.short / 10) // until all of them wait
	start := time.Now()
	b.release(whole.StoreTicket)
	all.Wait()
	if took := time.Since(start); b.Failed() || b.virtual && took > time.Second {
		b.broken("%d that fit together were granted after %s", n, took)
	}
	b.heldBy(lock.Key("room"), waiters...)
}

func readersTogether(b *bench) {
	shared := lock.Key("room").Shared()
	writer := b.hold(lock.Key("room"))
	var readers []lock.StoreClaim
	for range 3 {
		readers = append(readers, b.queue(shared))
	}
	next := b.queue(lock.Span("room", 1, 9))
	late, g := b.queued(b.claim(shared))
	if g.Place != 5 {
		b.broken("a reader behind a writer has place %d, want 5", g.Place)
	}
	b.release(writer.StoreTicket)
	b.heldBy(lock.Key("room"), readers...)
	visitor := b.hold(shared) // one who does not wait lets no waiter pass
	for _, r := range append(readers, visitor) {
		if g := b.blocked(late); len(g.Conflicts) != 0 {
			b.broken("a reader behind a writer has %d conflicts with other readers", len(g.Conflicts))
		}
		b.release(r.StoreTicket)
	}
	b.heldBy(lock.Key("room"), next)
	b.release(next.StoreTicket)
	b.heldBy(lock.Key("room"), late)
}

func othersChangeNothing(b *bench) {
	var busy []lock.StoreClaim
	for i := range 20 {
		name := lock.Key(fmt.Sprint("busy", i))
		busy = append(busy, b.hold(name))
		for range 3 {
			b.queue(name)
		}
	}
	c := b.hold(lock.Key("room"))
	first, g := b.queued(b.claim(lock.Key("room")))
	if g.Place != 1 {
		b.broken("the first who waits for its name has place %d", g.Place)
	}
	b.release(c.StoreTicket)
	b.heldBy(lock.Key("room"), first)
	for i, c := range busy {
		b.heldBy(lock.Key(fmt.Sprint("busy", i)), c)
	}
	if _, g := b.queued(b.claim(lock.Key("busy7"))); g.Place != 4 {
		b.broken("the fourth who waits for its name has place %d", g.Place)
	}
	b.hold(lock.Key("free"))
}

// fullQueue allows any bound up to some thousands. It takes seconds where the
// server is simulated, so it is left to the real one and to long runs.
func fullQueue(b *bench) {
	if b.virtual && b.steps <= virtualSteps {
		return
	}
	holder := b.hold(lock.Key("room"))
	var waiting []lock.StoreClaim
	for g := (lock.StoreGrant{}); !g.Full; {
		c := b.claim(lock.Key("room"))
		c.Queue = true
		if g = b.blocked(c); g.Place == 0 && !g.Full {
			c, g = b.queued(c)
		}
		if waiting = append(waiting, c); len(waiting) > 10_000 {
			b.broken("%d claims wait for one name, and the queue is not full", len(waiting))
		}
		if g.Full == (g.Place > 0) || len(g.Conflicts) != 1 {
			b.broken("claim %d: place %d, full %t, behind %d holds", len(waiting), g.Place, g.Full, len(g.Conflicts))
		}
	}
	last := len(waiting) - 1
	b.hold(lock.Key("suite"))
	b.queue(lock.Key("suite"))
	b.release(waiting[1].StoreTicket)
	if g := b.blocked(waiting[last]); g.Place != last {
		b.broken("when one of %d has left: place %d", last, g.Place)
	}
	b.release(holder.StoreTicket)
	b.heldBy(lock.Key("room"), waiting[0])
}
