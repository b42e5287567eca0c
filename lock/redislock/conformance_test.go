// SPDX-License-Identifier: MIT

package redislock_test

import (
	"context"
	"hash/maphash"
	"os"
	"testing"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/locktest"
	"github.com/holdfast-go/holdfast/lock/redislock"
)

func TestConformanceInVirtualTime(t *testing.T) {
	locktest.Run(t, func(t testing.TB) lock.Store {
		client, _ := redistest.Virtual(t)
		return redislock.New(client)
	}, locktest.Virtual(), locktest.Steps(steps()))
}

func TestConformanceOfAFleetInVirtualTime(t *testing.T) {
	t.Parallel()
	locktest.Run(t, func(t testing.TB) lock.Store {
		client, m := redistest.Virtual(t)
		return newFleet(redislock.New(client), redislock.New(redistest.VirtualClient(t, m)), redislock.New(redistest.VirtualClient(t, m)))
	}, locktest.Virtual(), locktest.Steps(1000))
}

func TestConformanceOnARealServer(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	locktest.Run(t, func(t testing.TB) lock.Store {
		return newFleet(redislock.New(server.Client(t)), redislock.New(server.Client(t)))
	}, locktest.Steps(steps()))
}

// fleet is several processes on one server. All that concerns one id comes from
// the same one.
type fleet struct {
	lock.Store // lists and sweeps
	all        []lock.Store
	seed       maphash.Seed
}

func newFleet(all ...lock.Store) *fleet {
	return &fleet{Store: all[0], all: all, seed: maphash.MakeSeed()}
}

func (f *fleet) of(id string) int { return int(maphash.String(f.seed, id) % uint64(len(f.all))) }

func (f *fleet) Acquire(ctx context.Context, c lock.StoreClaim) (lock.StoreGrant, error) {
	return f.all[f.of(c.ID)].Acquire(ctx, c)
}

func (f *fleet) Wait(ctx context.Context, c lock.StoreClaim, g lock.StoreGrant) (lock.StoreGrant, error) {
	return f.all[f.of(c.ID)].Wait(ctx, c, g)
}

func (f *fleet) Extend(ctx context.Context, rs []lock.StoreRenewal) ([]lock.StoreGrant, error) {
	return each(f, rs, func(r lock.StoreRenewal) string { return r.ID }, func(s lock.Store, rs []lock.StoreRenewal) ([]lock.StoreGrant, error) { return s.Extend(ctx, rs) })
}

func (f *fleet) Release(ctx context.Context, ts []lock.StoreTicket) ([]lock.StoreGrant, error) {
	return each(f, ts, func(t lock.StoreTicket) string { return t.ID }, func(s lock.Store, ts []lock.StoreTicket) ([]lock.StoreGrant, error) { return s.Release(ctx, ts) })
}

// each sends the parts of a batch to the stores that they concern.
func each[R any](f *fleet, batch []R, id func(R) string, send func(lock.Store, []R) ([]lock.StoreGrant, error)) ([]lock.StoreGrant, error) {
	answers := make([]lock.StoreGrant, len(batch))
	for n, s := range f.all {
		var mine []R
		var at []int
		for i, r := range batch {
			if f.of(id(r)) == n {
				mine, at = append(mine, r), append(at, i)
			}
		}
		if len(mine) == 0 && n > 0 {
			continue
		}
		gs, err := send(s, mine)
		if err != nil {
			return nil, err
		}
		for i, g := range gs {
			answers[at[i]] = g
		}
	}
	return answers, nil
}

// steps is the length of the model test; HOLDFAST_LONG=1 makes it 10^5.
func steps() int {
	if os.Getenv("HOLDFAST_LONG") == "1" {
		return 100_000
	}
	return 0
}
