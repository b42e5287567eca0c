// SPDX-License-Identifier: MIT

package rediscall

import (
	"context"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Linger is how long a feed without a user stays open.
const Linger = 5 * time.Second

const subscribeFor = time.Second // how long one try to open a feed may take

// Feed is a subscription of one channel. Open makes it, unless it is there. It
// ends some time after its last user has left, or with the client.
//
// Safe for concurrent use. The functions are called without any lock held, on
// the goroutine that reads, and one at a time but for Closed.
type Feed struct {
	Caller *Caller
	Read   func(message string)
	Missed func() // messages may have been lost: the connection was new, or is closed
	Closed func() // the feed has ended, and has to be opened again; may be nil

	mu      sync.Mutex
	opening *try // the one that is under way
	sub     *redis.PubSub
	channel string
	users   int
	idle    *time.Timer
}

// try is one try to subscribe.
type try struct {
	ended chan struct{}
	err   error // set before that is closed; nil if only the context of its caller has ended
}

// Use adds a user and returns the channel, "" while the feed is not open.
func (f *Feed) Use() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users++
	if f.idle != nil {
		f.idle.Stop()
	}
	return f.channel
}

// Done ends a use.
func (f *Feed) Done() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users--
	f.rest()
}

// rest has the feed closed when it has had no user for a while. f.mu is held.
func (f *Feed) rest() {
	switch {
	case f.users > 0 || f.sub == nil:
	case f.idle == nil:
		f.idle = time.AfterFunc(Linger, f.closeIdle)
	default:
		f.idle.Reset(Linger)
	}
}

func (f *Feed) closeIdle() {
	f.mu.Lock()
	sub := f.sub
	if f.users > 0 || sub == nil {
		f.mu.Unlock()
		return
	}
	f.sub, f.channel = nil, ""
	f.mu.Unlock()
	_ = sub.Close() // which ends receive
	f.closed()
}

func (f *Feed) closed() {
	if f.Closed != nil {
		f.Closed()
	}
}

// Channel returns the channel, "" while the feed is not open.
func (f *Feed) Channel() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.channel
}

// PubSub returns the subscription, nil while the feed is not open. It is for tests
// that break it.
func (f *Feed) PubSub() *redis.PubSub {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sub
}

// Open subscribes channel unless the feed is open, and returns when the server
// has confirmed that, after a second at most. Calls at the same time share one
// try.
func (f *Feed) Open(ctx context.Context, channel string) error {
	for {
		f.mu.Lock()
		if f.sub != nil {
			f.mu.Unlock()
			return nil
		}
		other := f.opening
		if other == nil {
			f.opening = &try{ended: make(chan struct{})}
			f.mu.Unlock()
			return f.subscribe(ctx, channel)
		}
		f.mu.Unlock()
		select {
		case <-other.ended:
			if other.err != nil {
				return other.err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *Feed) subscribe(caller context.Context, channel string) (err error) {
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if caller.Err() == nil {
			f.opening.err = err
		}
		close(f.opening.ended)
		f.opening = nil
	}()
	ctx, cancel := context.WithTimeout(caller, subscribeFor)
	defer cancel()
	_, err = Bounded(ctx, f.Caller, func(ctx context.Context) (struct{}, error) {
		sub := f.Caller.Client().Subscribe(ctx, channel)
		if _, err := sub.ReceiveTimeout(ctx, subscribeFor); err != nil {
			_ = sub.Close()
			return struct{}{}, err
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.sub != nil { // a later try was quicker
			_ = sub.Close()
			return struct{}{}, nil
		}
		f.sub, f.channel = sub, channel
		f.rest() // until it has a user
		go f.receive(sub)
		return struct{}{}, nil
	})
	return err
}

// receive takes messages in until the subscription ends. It reconnects by
// itself; what was sent meanwhile is lost.
func (f *Feed) receive(sub *redis.PubSub) {
	for m := range sub.ChannelWithSubscriptions() {
		switch m := m.(type) {
		case *redis.Message:
			f.Read(m.Payload)
		case *redis.Subscription:
			f.Missed()
		}
	}
	_ = sub.Close() // the client was closed
	f.mu.Lock()
	ended := f.sub == sub
	if ended {
		f.sub, f.channel = nil, ""
	}
	f.mu.Unlock()
	if ended {
		f.Missed()
		f.closed()
	}
}
