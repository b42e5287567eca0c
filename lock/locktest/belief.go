// SPDX-License-Identifier: MIT

package locktest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

var beliefRules = []rule{
	{"WhateverHappensToGrantsOneBelieves", "Two processes would work on one thing at once.", beliefs},
}

// believers are processes that wait for the same things and hold them. Each
// lease that overlaps another must begin after the other has ended, with a
// higher fence.
type believers struct {
	*bench
	store    *faulty
	managers []*lock.Manager

	mu    sync.Mutex
	held  []*lock.Lease // and those that have ended
	count int           // of turns
}

func beliefs(b *bench) {
	all := []faults{
		{lose: 40}, {delay: 40}, {lose: 20, repeat: 60}, {silence: 10}, {lose: 10, delay: 10, repeat: 30, silence: 5},
	}
	if !b.virtual {
		all = all[4:]
	}
	space := b.space
	for i, fault := range all {
		b.space = fmt.Sprintf("%s-%d", space, i)
		p := &believers{bench: b, store: newFaulty(b.store, fault, uint64(i))}
		p.run()
	}
}

func (p *believers) run() {
	for range 3 {
		m, err := lock.New(p.store, lock.Config{Name: p.space, Capacity: func(string) int { return 3 }})
		if err != nil {
			p.Fatal(err)
		}
		p.managers = append(p.managers, m)
	}
	length := time.Duration(p.steps) * 2500 * time.Microsecond
	var workers sync.WaitGroup
	stop := time.Now().Add(length)
	for i := range 12 {
		rnd := rand.New(rand.NewPCG(uint64(i), 3))
		workers.Go(func() {
			for time.Now().Before(stop) {
				p.turn(p.managers[i%3], rnd, true)
			}
		})
	}
	time.AfterFunc(length, func() { p.store.calm.Store(true) })
	workers.Wait()

	// All that is under way ends within StoreTrialTime and some seconds, and with it
	// all that stayed behind.
	start := time.Now()
	for i := range 12 {
		workers.Go(func() { p.turn(p.managers[i%3], rand.New(rand.NewPCG(uint64(i), 4)), false) })
	}
	workers.Wait()
	if took := time.Since(start); took > lock.StoreTrialTime+8*time.Second {
		p.broken("when all works again, 12 turns take %s", took)
	}
	p.leaveTogether()
	for _, m := range p.managers {
		if err := m.Close(p.ctx); err != nil {
			p.Errorf("Close: %v", err)
		}
	}
	p.outlast(100 * time.Millisecond) // what a lease ends before its hold
	if p.Failed() {
		p.broken("that was in %d turns, with %+v", p.count, p.store.faults)
	}
	p.free()
}

// leaveTogether has many give up at once, through managers that go on.
func (p *believers) leaveTogether() {
	p.outlast(100*time.Millisecond + 2*p.short) // the TTL of a lease that was lost while it was renewed
	l, err := p.managers[0].Acquire(p.ctx, lock.Key("room").Units(3))
	if err != nil {
		p.Fatalf("Acquire: %v", err)
	}
	ctx, cancel := context.WithTimeout(p.ctx, p.short/2)
	defer cancel()
	var waiters sync.WaitGroup
	for i := range 60 {
		waiters.Go(func() {
			_, err := p.managers[i%3].Acquire(ctx, lock.All(lock.Key("room"), lock.Key("hall")))
			if late := !p.virtual && errors.Is(err, lock.ErrUnavailable); !late && !errors.Is(err, lock.ErrConflict) { // a busy server may not answer in time
				p.Errorf("waiting for what is held ends with %v", err)
			}
		})
	}
	waiters.Wait()
	if err := l.Release(p.ctx); err != nil {
		p.Errorf("Release: %v", err)
	}
	p.outlast(p.short / 2)
	for n := 0; !p.virtual && n < 20 && len(p.holds(lock.Resource{})) > 0; n++ {
		p.outlast(p.short) // a busy server takes its time
	}
	p.free()
}

// free checks that nothing is held and no one waits.
func (p *believers) free() {
	p.heldBy(lock.Resource{})
	all := p.claim(lock.All(lock.Key("room"), lock.Key("hall"), lock.Key("suite")))
	all.Queue = true
	if g := p.acquire(all); g.Status != lock.StatusGranted {
		p.broken("after %d turns all have left, and a claim waits: %+v", p.count, g)
	}
	p.release(all.StoreTicket)
}

// turn waits for something and holds it for a while. One that is impatient may
// give up.
func (p *believers) turn(m *lock.Manager, rnd *rand.Rand, impatient bool) {
	things := []lock.Resource{
		lock.Key("room").Units(3), lock.Span("room", 1, 5).Units(2), lock.Span("room", 4, 9).Units(2), lock.All(lock.Key("room"), lock.Key("hall")).Units(3),
		lock.Key("hall").Units(2), lock.Key("hall").Shared(), lock.Key("suite").Units(2),
	}
	ctx, cancel := context.WithTimeout(p.ctx, time.Minute)
	defer cancel()
	if impatient = impatient && rnd.IntN(4) == 0; impatient {
		ctx, cancel = context.WithTimeout(p.ctx, time.Duration(rnd.IntN(1000))*time.Millisecond)
		defer cancel()
	}
	opts := []lock.Option{lock.TTL(100*time.Millisecond + time.Duration(rnd.Int64N(int64(2*p.short))))}
	if rnd.IntN(3) == 0 {
		opts = append(opts, lock.AutoRenew())
	}
	l, err := m.Acquire(ctx, things[rnd.IntN(len(things))], opts...)
	if err != nil {
		if ctx.Err() == nil || !impatient {
			p.Errorf("%s: Acquire: %v", time.Now().Format("05.000"), err)
		}
		return
	}
	p.begin(l)
	time.Sleep(time.Duration(rnd.IntN(400)) * time.Millisecond)
	for range 3 {
		if err = l.Release(p.ctx); !errors.Is(err, lock.ErrUnavailable) {
			break
		}
	}
}

// begin checks a lease that has just been granted.
func (p *believers) begin(l *lock.Lease) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	for _, other := range p.held {
		if !exclude(other.Resource(), l.Resource()) {
			continue
		}
		if other.Err() == nil && l.Err() == nil {
			p.Errorf("%s and %s are both held", other, l)
		}
		if l.Fence() <= other.Fence() {
			p.Errorf("%s has fence %d, after %s with fence %d", l, l.Fence(), other, other.Fence())
		}
	}
	p.held = append(p.held, l)
}
