// SPDX-License-Identifier: MIT

package redislock

import (
	"context"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

const (
	patience = 3 * time.Second        // a place in the queue lasts so long after the last try: PATIENCE in queue.lua
	longest  = patience / 3           // between two tries, whatever happens
	without  = 100 * time.Millisecond // between two tries, without an inbox
)

// Wait returns when c is worth trying again: it was woken, or the first hold
// in its way has ended, or its place in the queue is to be kept. The first
// time, it opens the inbox. It returns ctx's error if that ends first.
func (s *Store) Wait(ctx context.Context, c lock.Claim, g lock.Grant) error {
	woken := s.inbox.woken(c.ID)
	pause := longest
	if woken == nil {
		if s.inbox.open(ctx) == nil {
			return ctx.Err() // try again, and queue up
		}
		pause = without
	}
	if g.Retry > 0 {
		pause = min(pause, g.Retry)
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-woken:
		return nil
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
