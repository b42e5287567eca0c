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
	m   *Manager
	ctx context.Context // ends releaseTimeout after Close has begun

	mu     sync.Mutex
	groups map[string][]returned // those with a goroutine
}

// returned is one ticket to give back.
type returned struct {
	StoreTicket
	until time.Time // when it is tried no more
}

const returnFor = time.Minute // how long giving back is repeated; holds and places end by themselves, too

func newReturns(m *Manager) *returns {
	ctx, cancel := context.WithCancel(context.Background())
	context.AfterFunc(m.stopping, func() { time.AfterFunc(releaseTimeout, cancel) })
	return &returns{m: m, ctx: ctx, groups: make(map[string][]returned)}
}

// undo gives up a claim, whatever came of it, or ends the hold of a lease.
func (m *Manager) undo(t StoreTicket) {
	r := m.returns
	r.mu.Lock()
	waiting, running := r.groups[t.Group]
	r.groups[t.Group] = append(waiting, returned{t, time.Now().Add(returnFor)})
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

// give repeats until the store answers or the time of the batch is up, and once
// more when the manager is being closed. A batch that waited until its time was
// up costs no waiting: Release under an ended context only has the store forget
// what it keeps here.
func (r *returns) give(batch []returned) {
	end := batch[len(batch)-1].until
	tickets := make([]StoreTicket, len(batch))
	for i, t := range batch {
		tickets[i] = t.StoreTicket
	}
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		last := r.m.stopping.Err() != nil || !time.Now().Before(end)
		ctx, cancel := context.WithTimeout(r.ctx, min(releaseTimeout, time.Until(end)))
		_, err := r.m.store.Release(ctx, tickets)
		cancel()
		if err == nil || last || errors.Is(err, ErrPermanent) {
			return
		}
		sleep(r.m.stopping, pause)
	}
}
