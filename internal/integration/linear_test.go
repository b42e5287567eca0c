// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"context"
	"iter"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/faultproxy"
	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
	"github.com/holdfast-go/holdfast/lock/redislock"
)

// rounds is how many histories a test plays; HOLDFAST_LONG makes it 40 times
// as many.
func rounds(few int) int {
	if long() {
		return 40 * few
	}
	return few
}

func TestLocksInMemoryAreLinearizable(t *testing.T) {
	for seed := range uint64(rounds(10)) {
		s := &mute{Store: memlock.New()}
		play(t, seed, s, s, s).mustBeLinear(t)
	}
}

func TestLocksOnMiniredisAreLinearizable(t *testing.T) {
	first, m := redistest.Virtual(t)
	second := redistest.VirtualClient(t, m)
	for seed := range uint64(rounds(3)) {
		play(t, seed, redislock.New(first), redislock.New(second)).mustBeLinear(t)
	}
}

// One manager is near the server, one lies behind a network that loses replies
// and has a client that asks again, and one has a client that does not.
func TestLocksOnAServerAreLinearizableThroughLostReplies(t *testing.T) {
	server := redistest.Real(t)
	network := faultproxy.Start(t, server.Addr)
	connect := func(retries int) lock.Store {
		client := redis.NewClient(&redis.Options{Addr: network.Addr, MaxRetries: retries, ContextTimeoutEnabled: true})
		t.Cleanup(func() { _ = client.Close() })
		return redislock.New(client)
	}
	near, again, once := redislock.New(server.Client(t)), connect(3), connect(-1)
	unknown := 0
	for seed := range uint64(rounds(4)) {
		ctx, cancel := context.WithCancel(t.Context())
		var losing sync.WaitGroup
		losing.Go(func() {
			random := rand.New(rand.NewPCG(seed, 7))
			for ; ctx.Err() == nil; pause(ctx, time.Duration(5+random.IntN(40))*time.Millisecond) {
				network.Lose("evalsha", 1)
				for _, c := range subscriptions(network) {
					c.Cut() // and with it grants
				}
			}
		})
		h := play(t, seed, near, again, once)
		cancel()
		losing.Wait()
		h.mustBeLinear(t)
		unknown += h.unknown
	}
	t.Logf("%d replies lost, %d outcomes unknown", network.Lost(), unknown)
	if network.Lost() == 0 || unknown == 0 {
		t.Error("that shows nothing")
	}
}

// mute is a store whose answers to a thirtieth of the requests get lost.
type mute struct {
	lock.Store
}

func (s *mute) Acquire(ctx context.Context, c lock.StoreClaim) (lock.StoreGrant, error) {
	g, err := s.Store.Acquire(ctx, c)
	return g, s.lose(err)
}

func (s *mute) Extend(ctx context.Context, rs []lock.StoreRenewal) ([]lock.StoreGrant, error) {
	gs, err := s.Store.Extend(ctx, rs)
	return gs, s.lose(err)
}

func (s *mute) Release(ctx context.Context, ts []lock.StoreTicket) ([]lock.StoreGrant, error) {
	gs, err := s.Store.Release(ctx, ts)
	return gs, s.lose(err)
}

// Wait loses a grant that was made: the claim has to ask again.
func (s *mute) Wait(ctx context.Context, c lock.StoreClaim, g lock.StoreGrant) (lock.StoreGrant, error) {
	g, err := s.Store.Wait(ctx, c, g)
	if err == nil && g.Status == lock.StatusGranted && rand.IntN(4) == 0 {
		return lock.StoreGrant{Status: lock.StatusBlocked}, nil
	}
	return g, s.lose(err)
}

func (s *mute) lose(err error) error {
	if err == nil && rand.IntN(30) == 0 {
		return context.DeadlineExceeded
	}
	return err
}

// fault does one thing wrong, now and then, in a store that does all right.
type fault struct {
	lock.Store
	acquire func(lock.StoreClaim, lock.StoreGrant) lock.StoreGrant
	wait    func(lock.StoreClaim, lock.StoreGrant) lock.StoreGrant
	extend  func(lock.StoreRenewal, lock.StoreGrant) lock.StoreGrant
	release func(lock.StoreTicket) bool // whether not to
	holds   func(lock.StoreQuery, []lock.Hold) []lock.Hold
}

func (f *fault) Acquire(ctx context.Context, c lock.StoreClaim) (lock.StoreGrant, error) {
	g, err := f.Store.Acquire(ctx, c)
	if err == nil && f.acquire != nil && rand.IntN(4) == 0 {
		g = f.acquire(c, g)
	}
	return g, err
}

func (f *fault) Wait(ctx context.Context, c lock.StoreClaim, g lock.StoreGrant) (lock.StoreGrant, error) {
	if f.wait != nil && rand.IntN(2) == 0 {
		return f.wait(c, g), nil
	}
	return f.Store.Wait(ctx, c, g)
}

func (f *fault) Extend(ctx context.Context, rs []lock.StoreRenewal) ([]lock.StoreGrant, error) {
	gs, err := f.Store.Extend(ctx, rs)
	if err == nil && f.extend != nil && rand.IntN(4) == 0 {
		gs[0] = f.extend(rs[0], gs[0])
	}
	return gs, err
}

func (f *fault) Release(ctx context.Context, ts []lock.StoreTicket) ([]lock.StoreGrant, error) {
	if f.release != nil && rand.IntN(4) == 0 && f.release(ts[0]) {
		return make([]lock.StoreGrant, len(ts)), nil
	}
	return f.Store.Release(ctx, ts)
}

func (f *fault) Holds(ctx context.Context, q lock.StoreQuery) iter.Seq2[lock.Hold, error] {
	if f.holds == nil {
		return f.Store.Holds(ctx, q)
	}
	var list []lock.Hold
	for h, err := range f.Store.Holds(ctx, q) {
		if err == nil {
			list = append(list, h)
		}
	}
	return func(yield func(lock.Hold, error) bool) {
		for _, h := range f.holds(q, list) {
			if !yield(h, nil) {
				return
			}
		}
	}
}

// faults are those that a check of linearizability is for.
func faults() map[string]*fault {
	s := memlock.New()
	hour := func(fence uint64) lock.StoreGrant {
		return lock.StoreGrant{Hold: lock.Hold{Fence: fence, Left: time.Hour}, Since: time.Now()}
	}
	var mu sync.Mutex
	before := make(map[string][]lock.Hold) // by group and resource
	return map[string]*fault{
		"grants what is taken": {Store: s, acquire: func(_ lock.StoreClaim, g lock.StoreGrant) lock.StoreGrant {
			if g.Status == lock.StatusBlocked {
				return hour(uint64(time.Now().UnixMicro()))
			}
			return g
		}},
		"grants a waiter what is taken": {Store: s, wait: func(lock.StoreClaim, lock.StoreGrant) lock.StoreGrant {
			return hour(uint64(time.Now().UnixMicro()))
		}},
		"grants and forgets": {Store: s, acquire: func(c lock.StoreClaim, g lock.StoreGrant) lock.StoreGrant {
			if g.Status == lock.StatusGranted {
				_, _ = s.Release(context.Background(), []lock.StoreTicket{c.StoreTicket})
			}
			return g
		}},
		"refuses what is free": {Store: s, acquire: func(c lock.StoreClaim, g lock.StoreGrant) lock.StoreGrant {
			if g.Status == lock.StatusGranted {
				_, _ = s.Release(context.Background(), []lock.StoreTicket{c.StoreTicket})
				return lock.StoreGrant{Status: lock.StatusBlocked, Conflicts: []lock.Conflict{{Wanted: c.Resource, Hold: g.Hold}}}
			}
			return g
		}},
		"gives an old fence": {Store: s, acquire: func(_ lock.StoreClaim, g lock.StoreGrant) lock.StoreGrant {
			if g.Status == lock.StatusGranted {
				g.Hold.Fence -= 1_000_000
			}
			return g
		}},
		"counts an extension twice": {Store: s, extend: func(r lock.StoreRenewal, g lock.StoreGrant) lock.StoreGrant {
			if r.Count {
				r.Nonce += "again"
				_, _ = s.Extend(context.Background(), []lock.StoreRenewal{r})
			}
			return g
		}},
		"resumes what has ended": {Store: s, extend: func(r lock.StoreRenewal, g lock.StoreGrant) lock.StoreGrant {
			if g.Status == lock.StatusMissing {
				return hour(r.Fence)
			}
			return g
		}},
		"loses a release": {Store: s, release: func(lock.StoreTicket) bool { return true }},
		"lists what was": {Store: s, holds: func(q lock.StoreQuery, list []lock.Hold) []lock.Hold {
			mu.Lock()
			defer mu.Unlock()
			place := q.Group + q.Resource.String()
			stale := before[place]
			before[place] = list
			return stale
		}},
	}
}

func TestAStoreThatIsNotLinearizableIsFoundOut(t *testing.T) {
	for name, f := range faults() {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				if play(t, seed, f, f).check() == porcupine.Illegal {
					return
				}
			}
			t.Error("not noticed")
		})
	}
}
