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
