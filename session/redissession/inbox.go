// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/rediscall"
	"github.com/holdfast-go/holdfast/session"
)

const (
	pulse    = time.Second
	present  = 3 * time.Second // as in line.lua
	pingSize = 128             // that wait, in one script call
)

// inbox is where those who wait for a lease hear that it is their turn: one
// subscription for a store. A message may get lost, or subscribing may not be
// allowed, so the ping of each second asks, too.
type inbox struct {
	caller  *rediscall.Caller
	name    string // what scripts know it by
	channel string
	feed    rediscall.Feed

	mu      sync.Mutex
	waiting map[leaseName]*waiter
	stop    context.CancelFunc // ends the pings; nil while no call waits
	seen    time.Time          // when a ping was answered last, or the first waiter came
}

// waiter is a call that has a place in a line, or may have.
type waiter struct {
	slot   slot
	hash   session.Hash
	turn   func()
	placed bool // the store has said so
}

func newInbox(caller *rediscall.Caller, prefix string) *inbox {
	b := &inbox{caller: caller, name: rand.Text()[:16], waiting: map[leaseName]*waiter{}}
	b.feed = rediscall.Feed{Caller: caller, Read: b.read, Missed: b.ping}
	b.channel = prefix + ":inbox:" + b.name
	return b
}

// way is what scripts are to know about the waiting of a call: nothing, or the
// inbox. The call is registered before, since its turn may come at any time
// after.
func (b *inbox) way(lease leaseName, in slot, h session.Hash, turn func()) string {
	if turn == nil {
		return ""
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting[lease] == nil {
		b.waiting[lease] = &waiter{slot: in, hash: h, turn: turn}
		b.feed.Use()
	}
	return b.name
}

// answered takes in what a script has said to a call. One that waits has the
// inbox opened.
func (b *inbox) answered(lease leaseName, status session.StoreStatus) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.waiting[lease]
	switch {
	case w == nil:
	case status != session.StatusLeased:
		b.forget(lease)
	default:
		w.placed = true
		if b.stop == nil {
			ctx, cancel := context.WithCancel(context.Background())
			b.stop, b.seen = cancel, time.Now()
			go b.run(ctx)
		}
	}
}

// leave forgets a call that does not wait any more.
func (b *inbox) leave(lease leaseName) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forget(lease)
}

// forget is leave under b.mu.
func (b *inbox) forget(lease leaseName) {
	if b.waiting[lease] != nil {
		delete(b.waiting, lease)
		b.feed.Done()
	}
	if len(b.waiting) == 0 && b.stop != nil {
		b.stop()
		b.stop = nil
	}
}

// run opens the inbox, and pings until ctx ends.
func (b *inbox) run(ctx context.Context) {
	tick := time.NewTicker(pulse)
	defer tick.Stop()
	for {
		if b.feed.Channel() == "" && b.feed.Open(ctx, b.channel) == nil {
			b.ping() // what was published before
		}
		select {
		case <-tick.C:
			b.ping()
		case <-ctx.Done():
			return
		}
	}
}

// read takes one message in: the name of the lease whose turn it is. One that is
// of no call here was of a call that has given up.
func (b *inbox) read(message string) {
	if len(message) == len(leaseName{}) {
		b.wake(leaseName([]byte(message)))
	}
}

// wake has calls ask again.
func (b *inbox) wake(leases ...leaseName) {
	var turns []func()
	b.mu.Lock()
	for _, lease := range leases {
		if w := b.waiting[lease]; w != nil {
			turns = append(turns, w.turn)
		}
	}
	b.mu.Unlock()
	for _, turn := range turns {
		turn()
	}
}

// ping keeps the places of those who wait, and has them ask whose turn it is or
// whose place was lost. When no ping was answered for as long as places last, all
// ask.
func (b *inbox) ping() {
	var calls []rediscall.Call
	var all []leaseName
	last := map[slot]int{} // the latest call of each partition
	b.mu.Lock()
	for lease, w := range b.waiting {
		if !w.placed {
			continue
		}
		i, has := last[w.slot]
		if !has || len(calls[i].Args) > 2*pingSize {
			i = len(calls)
			last[w.slot] = i
			calls = append(calls, rediscall.Call{Keys: []string{w.slot.expiry()}, Args: []any{b.name}})
		}
		calls[i].Args = append(calls[i].Args, string(w.hash[:]), string(lease[:]))
		all = append(all, lease)
	}
	b.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), pulse)
	defer cancel()
	replies, err := b.caller.RunAll(ctx, pingScript, calls)
	b.mu.Lock()
	if err == nil {
		b.seen = time.Now()
	}
	lost := time.Since(b.seen) >= present || errors.Is(err, redis.ErrClosed)
	b.mu.Unlock()
	if lost {
		b.wake(all...)
		return
	}
	for _, reply := range replies {
		names, _ := reply.([]any)
		for _, name := range names {
			if text, _ := name.(string); len(text) == len(leaseName{}) {
				b.wake(leaseName([]byte(text)))
			}
		}
	}
}
