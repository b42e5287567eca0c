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
	caller *rediscall.Caller
	prefix string         // of channels
	mark   string         // "!" where the server counts the subscribers, else "="
	feed   rediscall.Feed // each in waiting and in held is a user

	mu      sync.Mutex
	soon    bool               // a goroutine is about to open it
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
	ping   int                  // the last one sent before it got its place
	trial  time.Duration        // how long a grant lasts unless it is confirmed
	ready  chan lock.StoreGrant // holds one: a grant, or StatusBlocked when it has to ask again
}

const (
	pulse     = time.Second            // between two pings
	refused   = lock.StoreRememberFor  // how late a try may arrive that could queue up
	apart     = 100 * time.Millisecond // between two of the first in line who ask
	manyRooms = 1024                   // beyond which those where no claim waits are forgotten
	askers    = 10                     // how many of the first in line ask when an obstacle is due
)

func newInbox(caller *rediscall.Caller, prefix string) *inbox {
	b := &inbox{
		caller: caller, prefix: prefix + ":inbox:", mark: "=",
		waiting: make(map[string]*waiter), held: make(map[string]watched), rooms: make(map[string]*room),
	}
	b.feed = rediscall.Feed{Caller: caller, Read: b.read, Missed: func() { b.ask(nil) }, Closed: b.closed}
	if _, one := caller.Client().(*redis.Client); one {
		b.mark = "!"
	}
	return b
}

// address is how scripts name the inbox; empty while it is not open.
func (b *inbox) address() string {
	if channel := b.feed.Channel(); channel != "" {
		return b.mark + channel
	}
	return ""
}

// way is what acquire.lua is to know about the waiting of c, and the server's
// time from which on it refuses the claim. A claim that may get a place is
// registered before, since its grant may come at any time after.
func (b *inbox) way(c lock.StoreClaim, keys []string) (way string, latest int64) {
	if !c.Queue {
		return "", 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	r, known, channel := b.rooms[keys[0]], b.waiting[c.ID] != nil, b.feed.Use()
	if known || channel == "" || r == nil {
		b.feed.Done()
	}
	if channel == "" || r == nil {
		return "?", 0
	}
	if !known {
		trial := min(c.TTL, lock.StoreTrialTime)
		if c.MaxHold > 0 {
			trial = min(trial, c.MaxHold)
		}
		b.waiting[c.ID] = &waiter{room: r, trial: trial, ready: make(chan lock.StoreGrant, 1)}
		if r.waiting++; r.waiting == 1 {
			r.stop = make(chan struct{})
			go b.ping(r, r.stop)
		}
	}
	since := time.Since(r.clock.received)
	return b.mark + channel, r.clock.server + (since + refused).Milliseconds()
}

// answered takes in the answer to a claim.
func (b *inbox) answered(c lock.StoreClaim, keys []string, g lock.StoreGrant, p pair) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if g.Status == lock.StatusBlocked && b.rooms[keys[0]] == nil {
		if len(b.rooms) >= manyRooms {
			maps.DeleteFunc(b.rooms, func(_ string, r *room) bool { return r.waiting == 0 })
		}
		b.rooms[keys[0]] = &room{keys: keys}
	}
	if r := b.rooms[keys[0]]; r != nil {
		r.note(p)
	}
	if w := b.waiting[c.ID]; g.Status != lock.StatusBlocked || g.Place == 0 {
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

// leave forgets a claim that waits no more, or a hold that has ended.
func (b *inbox) leave(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(id)
	b.forget(id)
}

// unwatch forgets a hold that has ended. A claim of its id may wait.
func (b *inbox) unwatch(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(id)
}

// drop is leave for a hold, forget for a claim. b.mu is held.
func (b *inbox) drop(id string) {
	if _, is := b.held[id]; is {
		delete(b.held, id)
		b.feed.Done()
	}
}

func (b *inbox) forget(id string) {
	if w := b.waiting[id]; w != nil {
		delete(b.waiting, id)
		w.place(false)
		if w.room.waiting--; w.room.waiting == 0 {
			close(w.room.stop)
		}
		b.feed.Done()
	}
}

// watch has lost called when another ends the hold, which lasts for ttl.
func (b *inbox) watch(id string, lost func(), ttl time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := time.Now(); len(b.held) >= b.crowd {
		for id, w := range b.held {
			if w.until.Before(now) {
				b.drop(id)
			}
		}
		b.crowd = 2*len(b.held) + manyRooms
	}
	b.drop(id)
	b.held[id] = watched{lost, time.Now().Add(ttl)}
	if b.feed.Use() == "" && !b.soon {
		b.soon = true
		go func() {
			_ = b.open(context.Background()) // else the next renewal tries again
			b.mu.Lock()
			b.soon = false
			b.mu.Unlock()
		}()
	}
}

// open subscribes, if that is not done, and returns when the server has
// confirmed it, or after a second.
func (b *inbox) open(ctx context.Context) error {
	// A Cluster has one node for each channel, so the next try may go to another.
	return b.feed.Open(ctx, b.prefix+rand.Text()[:16])
}

// closed forgets what belongs to a subscription that has ended, unless there is
// another one already.
func (b *inbox) closed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.feed.Channel() != "" {
		return
	}
	for id := range b.waiting {
		b.forget(id)
	}
	clear(b.rooms)
}
