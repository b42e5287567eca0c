// SPDX-License-Identifier: MIT

package locktest

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

// faults are how many of 100 go wrong.
type faults struct {
	lose, delay, repeat int // grants to claims that wait
	silence             int // answers, lost or late
}

// faulty is a store with faults, until it is calm.
type faulty struct {
	lock.Store
	faults
	calm atomic.Bool

	mu    sync.Mutex
	rnd   *rand.Rand
	given map[string]lock.StoreGrant // the last grant to each claim
}

var errSilence = errors.New("the answer got lost")

func newFaulty(s lock.Store, what faults, seed uint64) *faulty {
	return &faulty{Store: s, faults: what, rnd: rand.New(rand.NewPCG(seed, 2)), given: make(map[string]lock.StoreGrant)}
}

func (f *faulty) n(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rnd.IntN(n)
}

func (f *faulty) happens(of100 int) bool { return !f.calm.Load() && f.n(100) < of100 }

// pause takes a while, of milliseconds or of seconds, unless ctx ends.
func (f *faulty) pause(ctx context.Context) error {
	d := time.Duration(f.n(3000)) * time.Millisecond
	if f.n(2) == 0 {
		d /= 100
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *faulty) Wait(ctx context.Context, c lock.StoreClaim, g lock.StoreGrant) (lock.StoreGrant, error) {
	f.mu.Lock()
	old, before := f.given[c.ID]
	f.mu.Unlock()
	if before && f.happens(f.repeat) {
		return old, nil
	}
	g, err := f.Store.Wait(ctx, c, g)
	if err != nil || g.Status != lock.StatusGranted {
		return g, err
	}
	f.mu.Lock()
	f.given[c.ID] = g
	f.mu.Unlock()
	switch {
	case f.happens(f.lose):
		return lock.StoreGrant{Status: lock.StatusBlocked}, f.pause(ctx) // until it is time to ask
	case f.happens(f.delay):
		return g, f.pause(ctx)
	}
	return g, nil
}

// after is what comes of an answer.
func (f *faulty) after(ctx context.Context, err error) error {
	switch {
	case err != nil:
		return err
	case f.happens(f.silence):
		return errSilence
	case f.happens(f.silence):
		return f.pause(ctx)
	}
	return nil
}

func (f *faulty) Acquire(ctx context.Context, c lock.StoreClaim) (lock.StoreGrant, error) {
	g, err := f.Store.Acquire(ctx, c)
	return g, f.after(ctx, err)
}

func (f *faulty) Extend(ctx context.Context, rs []lock.StoreRenewal) ([]lock.StoreGrant, error) {
	gs, err := f.Store.Extend(ctx, rs)
	return gs, f.after(ctx, err)
}

func (f *faulty) Release(ctx context.Context, ts []lock.StoreTicket) ([]lock.StoreGrant, error) {
	gs, err := f.Store.Release(ctx, ts)
	return gs, f.after(ctx, err)
}
