// SPDX-License-Identifier: MIT

package redislock

import (
	"context"
	"crypto/rand"
	"maps"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/rediscall"
	"github.com/holdfast-go/holdfast/lock"
)

// inbox is one subscription for all that wait in a store, and for the holders
// that get a message when another ends their hold. It is opened by the
// first of them and closed some time after the last, or when the client is.
//
// A message may get lost, so the ping of each second asks what was granted.
type inbox struct {
	caller  *rediscall.Caller
	prefix  string        // of channels
	mark    string        // "!" where the server counts the subscribers, else "="
	opening chan struct{} // one token: the call that has it opens

	mu      sync.Mutex
	sub     *redis.PubSub
	channel string
	soon    bool // a goroutine is about to open it
	idle    *time.Timer
	waiting map[string]*waiter // by id of the claim
	held    map[string]watched // by id of the hold
	rooms   map[string]*room   // by the first key of the group
	crowd   int                // how many in held are a reason to look for expired ones
	ignored int                // messages that were malformed or of no one here
}

// watched is a hold whose holder gets a message when another ends it. A lease that
// was detached leaves it behind, until it has expired.
type watched struct {
	lost  func()
	until time.Time
}

// room is a group where claims of this store wait, or waited.
type room struct {
	keys    []string
	clock   pair // the newest
	waiting int
	placed  int // how many of them have a place, as far as is known
	fresh   int // how many of those got it since the last ping was sent
	pings   int
	stop    chan struct{} // ends the pings; nil while no claim waits
}

// pair is one answer's time on the server and the local times around it. The
// server reaches its time t at the local time sent + (t - server) at the
// earliest.
type pair struct {
	sent, received time.Time
	server         int64 // in ms
}

// waiter is a claim that has a place, or may have.
type waiter struct {
	room   *room
	placed bool
	ping   int             // the last one sent before it got its place
	trial  time.Duration   // how long a grant lasts unless it is confirmed
	ready  chan lock.Grant // holds one: a grant, or Blocked when it has to ask again
}

const (
	linger    = 5 * time.Second        // how long an inbox without a user stays open
	pulse     = time.Second            // between two pings
	refused   = lock.RememberFor       // how late a try may arrive that could queue up
	apart     = 100 * time.Millisecond // between two of the first in line who ask
	manyRooms = 1024                   // beyond which those where no claim waits are forgotten
	askers    = 10                     // how many of the first in line ask when an obstacle is due
)

func newInbox(caller *rediscall.Caller, prefix string) *inbox {
	b := &inbox{
		caller: caller, prefix: prefix + ":inbox:", mark: "=", opening: make(chan struct{}, 1),
		waiting: make(map[string]*waiter), held: make(map[string]watched), rooms: make(map[string]*room),
	}
	if _, one := caller.Client().(*redis.Client); one {
		b.mark = "!"
	}
	return b
}

// address is how scripts name the inbox; empty while it is not open.
func (b *inbox) address() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sub == nil {
		return ""
	}
	return b.mark + b.channel
}

// way is what acquire.lua is to know about the waiting of c, and the server's
// time from which on it refuses the claim. A claim that may get a place is
// registered before, since its grant may come at any time after.
func (b *inbox) way(c lock.Claim, keys []string) (way string, latest int64) {
	if !c.Queue {
		return "", 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.rooms[keys[0]]
	if b.sub == nil || r == nil {
		return "?", 0
	}
	if b.waiting[c.ID] == nil {
		trial := min(c.TTL, lock.TrialTime)
		if c.MaxHold > 0 {
			trial = min(trial, c.MaxHold)
		}
		b.waiting[c.ID] = &waiter{room: r, trial: trial, ready: make(chan lock.Grant, 1)}
		b.use()
		if r.waiting++; r.waiting == 1 {
			r.stop = make(chan struct{})
			go b.ping(r, r.stop)
		}
	}
	since := time.Since(r.clock.received)
	return b.mark + b.channel, r.clock.server + (since + refused).Milliseconds()
}

// answered takes in the answer to a claim.
func (b *inbox) answered(c lock.Claim, keys []string, g lock.Grant, p pair) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if g.Status == lock.Blocked && b.rooms[keys[0]] == nil {
		if len(b.rooms) >= manyRooms {
			maps.DeleteFunc(b.rooms, func(_ string, r *room) bool { return r.waiting == 0 })
		}
		b.rooms[keys[0]] = &room{keys: keys}
	}
	if r := b.rooms[keys[0]]; r != nil {
		r.note(p)
	}
	if w := b.waiting[c.ID]; g.Status != lock.Blocked || g.Place == 0 {
		b.forget(c.ID)
	} else if w != nil {
		w.place(true)
	}
}

// place notes whether a waiter has a place.
func (w *waiter) place(has bool) {
	r, n := w.room, 1
	if w.placed == has {
		return
	}
	if w.placed = has; has {
		w.ping = r.pings
	} else {
		n = -1
	}
	r.placed += n
	if w.ping == r.pings {
		r.fresh += n
	}
}

// note keeps the newest pair.
func (r *room) note(p pair) {
	if p.server > 0 && p.sent.After(r.clock.sent) {
		r.clock = p
	}
}

// leave forgets a claim that waits no more, or a hold that was released.
func (b *inbox) leave(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.held, id)
	b.forget(id)
	b.rest()
}

// unwatch forgets a hold that has ended. A claim of its id may wait.
func (b *inbox) unwatch(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.held, id)
	b.rest()
}

// forget is leave for a claim. b.mu is held.
func (b *inbox) forget(id string) {
	if w := b.waiting[id]; w != nil {
		delete(b.waiting, id)
		w.place(false)
		if w.room.waiting--; w.room.waiting == 0 {
			close(w.room.stop)
		}
		b.rest()
	}
}

// watch has lost called when another ends the hold, which lasts for ttl.
func (b *inbox) watch(id string, lost func(), ttl time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := time.Now(); len(b.held) >= b.crowd {
		maps.DeleteFunc(b.held, func(_ string, w watched) bool { return w.until.Before(now) })
		b.crowd = 2*len(b.held) + manyRooms
	}
	b.held[id] = watched{lost, time.Now().Add(ttl)}
	b.use()
	if b.sub == nil && !b.soon {
		b.soon = true
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), linger)
			defer cancel()
			_ = b.open(ctx) // else the next renewal tries again
			b.mu.Lock()
			b.soon = false
			b.mu.Unlock()
		}()
	}
}

// use keeps the inbox open, rest has it closed when it has had no user for a
// while. b.mu is held.
func (b *inbox) use() {
	if b.idle != nil {
		b.idle.Stop()
	}
}

func (b *inbox) rest() {
	switch {
	case len(b.waiting)+len(b.held) > 0 || b.sub == nil:
	case b.idle == nil:
		b.idle = time.AfterFunc(linger, b.closeIdle)
	default:
		b.idle.Reset(linger)
	}
}

func (b *inbox) closeIdle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting)+len(b.held) == 0 && b.sub != nil {
		_ = b.sub.Close() // which ends receive
		b.sub = nil
		clear(b.rooms)
	}
}

// open subscribes, if that is not done, and returns when the server has
// confirmed it, or after a second.
func (b *inbox) open(ctx context.Context) error {
	select {
	case b.opening <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-b.opening }()
	if b.address() != "" {
		return nil
	}
	// A Cluster has one node for each channel, so the next try may go to another.
	channel := b.prefix + rand.Text()[:16]
	ctx, cancel := context.WithTimeout(ctx, pulse)
	defer cancel()
	_, err := rediscall.Bounded(ctx, b.caller, func(ctx context.Context) (struct{}, error) {
		sub := b.caller.Client().Subscribe(ctx, channel)
		if _, err := sub.ReceiveTimeout(ctx, pulse); err != nil {
			_ = sub.Close()
			return struct{}{}, err
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.sub != nil { // another try was quicker
			_ = sub.Close()
			return struct{}{}, nil
		}
		b.sub, b.channel = sub, channel
		b.rest() // until it has a user
		go b.receive(sub)
		return struct{}{}, nil
	})
	return err
}
