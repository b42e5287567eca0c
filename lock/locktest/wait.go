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
	{"WaitersAreServedInOrder", "Whoever asks most often would get the room, and some guest never.", servedInOrder},
	{"NobodyOvertakesAWaiter", "A newcomer would take what somebody has waited for.", nobodyOvertakes},
	{"WaitersForDifferentThingsDoNotWaitForEachOther", "One room that is taken would hold up the whole hotel.", apartDoNotWait},
	{"WhoGivesUpLeavesTheQueue", "A guest who has left would hold up all behind.", giveUpLeaves},
	{"ADeadWaiterDropsOut", "A process that died while it waited would hold up all behind for ever.", deadDropOut},
	{"WaitEndsWithItsContext", "A caller who has left would keep a goroutine waiting.", waitEnds},
}

// insist repeats a queued claim until it is granted.
func (b *bench) insist(ctx context.Context, c lock.Claim) error {
	c.Queue = true
	for {
		g, err := b.store.Acquire(ctx, c)
		if err != nil || g.Status == lock.Granted {
			return err
		}
		if err := b.store.Wait(ctx, c, g); err != nil {
			return err
		}
	}
}

// queued tries a claim, which must be blocked, until it has a place.
func (b *bench) queued(c lock.Claim) (lock.Claim, lock.Grant) {
	b.Helper()
	c.Queue = true
	for range 5 {
		g := b.blocked(c)
		if g.Place > 0 {
			return c, g
		}
		ctx, cancel := context.WithTimeout(b.ctx, b.short)
		_ = b.store.Wait(ctx, c, g)
		cancel()
	}
	b.broken("a claim that waits gets no place in the queue")
	return c, lock.Grant{}
}

func servedInOrder(b *bench) {
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	c := b.hold(lock.Key("room"))
	const n = 8
	type turn struct {
		waiter int
		err    error
	}
	turns := make(chan turn, n)
	for i := range n {
		waiter, g := b.queued(b.claim(lock.Span("room", 1, 2+int64(i))))
		if g.Place != i+1 {
			b.broken("waiter %d has place %d", i+1, g.Place)
		}
		go func() {
			err := b.insist(ctx, waiter)
			turns <- turn{i, err}
			_, _ = b.store.Release(ctx, waiter.Ticket)
		}()
	}
	b.release(c.Ticket)
	for i := range n {
		if got := <-turns; got.waiter != i || got.err != nil {
			b.broken("turn %d was waiter %d's, with %v", i+1, got.waiter+1, got.err)
		}
	}
}

func nobodyOvertakes(b *bench) {
	c := b.hold(lock.Span("room", 1, 9))
	first, _ := b.queued(b.claim(lock.Span("room", 1, 5)))
	b.release(c.Ticket)
	late := b.claim(lock.Span("room", 4, 6))
	late.Queue = true
	if g := b.blocked(late); len(g.Conflicts) != 0 || g.Retry <= 0 {
		b.broken("behind a waiter: %d conflicts, retry in %s; want none, and some time", len(g.Conflicts), g.Retry)
	}
	b.granted(first)
	b.blocked(late)
	b.release(first.Ticket)
	b.granted(late)
}

func apartDoNotWait(b *bench) {
	b.hold(lock.Key("taken"))
	b.queued(b.claim(lock.All(lock.Key("taken"), lock.Span("room", 1, 5))))
	for _, apart := range []lock.Resource{lock.Span("room", 5, 6), lock.Key("other")} {
		c := b.claim(apart)
		c.Queue = true
		b.granted(c)
	}
	b.hold(lock.Span("room", 1, 5)) // who does not wait asks nobody
}

func giveUpLeaves(b *bench) {
	c := b.hold(lock.Key("room"))
	gone, _ := b.queued(b.claim(lock.Key("room")))
	next, _ := b.queued(b.claim(lock.Key("room")))
	b.release(c.Ticket)
	b.blocked(next)
	b.release(gone.Ticket)
	b.granted(next)
}

func deadDropOut(b *bench) {
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	c := b.hold(lock.Key("room"))
	b.queued(b.claim(lock.Key("room"))) // and never seen again
	start := time.Now()
	b.release(c.Ticket)
	if err := b.insist(ctx, b.claim(lock.Key("room"))); err != nil {
		b.broken("after %s behind a dead waiter: %v", time.Since(start), err)
	}
}

func waiterGetsTurn(b *bench) {
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	c := b.hold(lock.Span("room", 1, 5))
	granted := make(chan error, 1)
	waiter := b.claim(lock.Span("room", 4, 6))
	go func() { granted <- b.insist(ctx, waiter) }()
	select {
	case err := <-granted:
		b.broken("the wait ended while the room was taken: %v", err)
	case <-time.After(b.short):
	}
	b.release(c.Ticket)
	if err := <-granted; err != nil {
		b.broken("the room is free, and the waiter got %v", err)
	}
}

func waiterOutlasts(b *bench) {
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	b.brief(lock.Key("room"))
	if err := b.insist(ctx, b.claim(lock.Key("room"))); err != nil {
		b.broken("the hold has expired, and the waiter got %v", err)
	}
}

func waitEnds(b *bench) {
	b.hold(lock.Key("room"))
	ctx, cancel := context.WithTimeout(b.ctx, b.short)
	defer cancel()
	if err := b.insist(ctx, b.claim(lock.Key("room"))); !errors.Is(err, context.DeadlineExceeded) {
		b.broken("the wait ended with %v, want the context's error", err)
	}
}
