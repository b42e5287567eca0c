// SPDX-License-Identifier: MIT

package redislock

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/rediscall"
	"github.com/holdfast-go/holdfast/lock"
)

// inbox is one subscription for all who wait in a store. It is opened by the
// first of them and closed some time after the last, or when the client is.
// What comes in are ids of claims that can go now. A message may get lost, so
// it is only a hint.
type inbox struct {
	caller  *rediscall.Caller
	channel string
	mark    string // "!" where PUBLISH counts the receivers

	opening chan struct{} // one token: who has it opens

	mu      sync.Mutex
	sub     *redis.PubSub
	waiting map[string]chan struct{} // by id of the claim
	idle    *time.Timer
}

const linger = 5 * time.Second

func newInbox(caller *rediscall.Caller, prefix string) *inbox {
	b := &inbox{caller: caller, channel: prefix + ":inbox:" + rand.Text()[:16], waiting: make(map[string]chan struct{}), opening: make(chan struct{}, 1)}
	if _, one := caller.Client().(*redis.Client); one {
		b.mark = "!"
	}
	return b
}

// way is what acquire.lua is to know about the waiting of c. A claim that
// gets a place has somewhere to be woken before that.
func (b *inbox) way(c lock.Claim) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !c.Queue:
		return ""
	case b.sub == nil:
		delete(b.waiting, c.ID)
		return "?"
	}
	if b.waiting[c.ID] == nil {
		b.waiting[c.ID] = make(chan struct{}, 1)
	}
	if b.idle != nil {
		b.idle.Stop()
	}
	if b.mark == "" {
		return "?" + b.channel
	}
	return b.mark + b.channel
}

// woken returns what tells that the claim can go; nil when it has no place.
func (b *inbox) woken(id string) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.waiting[id]
}

// leave forgets a claim that waits no more.
func (b *inbox) leave(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting[id] == nil {
		return
	}
	delete(b.waiting, id)
	b.rest()
}

// rest has the inbox closed if nobody waits for a while. b.mu is held.
func (b *inbox) rest() {
	if len(b.waiting) > 0 || b.sub == nil {
		return
	}
	if b.idle == nil {
		b.idle = time.AfterFunc(linger, b.closeIdle)
		return
	}
	b.idle.Reset(linger)
}

func (b *inbox) closeIdle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) == 0 && b.sub != nil {
		_ = b.sub.Close() // which ends receive
		b.sub = nil
	}
}

// open subscribes, if that is not done, and returns when the server has
// confirmed it.
func (b *inbox) open(ctx context.Context) error {
	select {
	case b.opening <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-b.opening }()
	b.mu.Lock()
	opened := b.sub != nil
	b.mu.Unlock()
	if opened {
		return nil
	}
	_, err := rediscall.Bounded(ctx, b.caller, func(ctx context.Context) (struct{}, error) {
		sub := b.caller.Client().Subscribe(ctx, b.channel)
		if _, err := sub.ReceiveTimeout(ctx, longest); err != nil {
			_ = sub.Close()
			return struct{}{}, err
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.sub = sub
		b.rest() // until somebody waits
		go b.receive(sub)
		return struct{}{}, nil
	})
	return err
}

// receive wakes those who can go until the subscription ends. It reconnects
// by itself.
func (b *inbox) receive(sub *redis.PubSub) {
	for m := range sub.Channel() {
		b.mu.Lock()
		select {
		case b.waiting[m.Payload] <- struct{}{}:
		default: // woken already, or gone
		}
		b.mu.Unlock()
	}
	_ = sub.Close() // the client was closed
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sub == sub {
		b.sub = nil
	}
}
