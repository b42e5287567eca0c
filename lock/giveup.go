// SPDX-License-Identifier: MIT

package lock

import (
	"context"
	"errors"
	"sync"
	"time"
)

// returns gives back what calls without a lease may have left in the store: a
// place in the queue, or a hold whose grant did not arrive. A request that is
// still on its way then finds that its claim was given up. Each group has one
// goroutine while it has something to give back, so that a server that hangs
// keeps only its own groups waiting.
type returns struct {
	m      *Manager
	mu     sync.Mutex
	groups map[string][]StoreTicket // those with a goroutine
}

const returnFor = time.Minute // how long giving back is repeated; holds and places end by themselves, too

func newReturns(m *Manager) *returns { return &returns{m: m, groups: make(map[string][]StoreTicket)} }

// undo gives up a claim, whatever came of it, or ends the hold of a lease.
func (m *Manager) undo(t StoreTicket) {
	r := m.returns
	r.mu.Lock()
	waiting, running := r.groups[t.Group]
	r.groups[t.Group] = append(waiting, t)
	r.mu.Unlock()
	if !running {
		m.spawn(func() { r.run(t.Group) })
	}
}

func (r *returns) run(group string) {
	for {
		r.mu.Lock()
		waiting := r.groups[group]
		if len(waiting) == 0 {
			delete(r.groups, group)
			r.mu.Unlock()
			return
		}
		batch := waiting[:min(len(waiting), batchSize)]
		r.groups[group] = waiting[len(batch):]
		r.mu.Unlock()
		r.give(batch)
	}
}

// give repeats until the store answers, and once more, quickly, when the
// manager is being closed.
func (r *returns) give(batch []StoreTicket) {
	for end, pause := time.Now().Add(returnFor), firstPause; ; pause = min(2*pause, longPause) {
		last := r.m.stopping.Err() != nil || time.Now().After(end)
		ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
		_, err := r.m.store.Release(ctx, batch)
		cancel()
		if err == nil || last || errors.Is(err, ErrPermanent) {
			return
		}
		sleep(r.m.stopping, pause)
	}
}
