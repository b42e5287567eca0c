// SPDX-License-Identifier: MIT

package rediscall

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	maxFlights = 4   // pipelines of a batcher that are under way at once
	maxSeats   = 128 // calls in one pipeline
)

// batcher lets calls that are made at the same time share round trips. The
// first few go out alone and at once; who comes while those are under way
// waits for the next to come back and then goes out with all others who wait,
// in one pipeline. So nobody waits for company, and the busier the client, the
// fewer system calls a script costs on either side.
//
// A call never waits for another script to be sent, only for one that was sent
// to the same server before. Safe for concurrent use.
type batcher struct {
	caller *Caller

	mu      sync.Mutex
	flights int        // at most maxFlights
	queue   []*pending // empty unless flights is maxFlights
}

// pending is a call that waits for a seat, or for its answer.
type pending struct {
	ctx    context.Context
	script *redis.Script
	call   Call
	done   chan outcome // holds one
}

func (b *batcher) run(ctx context.Context, script *redis.Script, call Call) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	if b.flights < maxFlights {
		b.flights++
		b.mu.Unlock()
		defer b.land()
		return b.caller.alone(ctx, script, call)
	}
	p := &pending{ctx, script, call, make(chan outcome, 1)}
	b.queue = append(b.queue, p)
	b.mu.Unlock()
	select {
	case o := <-p.done:
		if o.panicked != nil {
			panic(o.panicked)
		}
		return o.answer, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// land ends a flight. Those who wait go out on a goroutine that ends with the
// last of them.
func (b *batcher) land() {
	if batch := b.board(); batch != nil {
		go func() {
			for batch != nil {
				b.fly(batch)
				batch = b.board()
			}
		}()
	}
}

// board returns who goes out next, or nil when the flight ends because nobody
// waits.
func (b *batcher) board() []*pending {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(len(b.queue), maxSeats)
	batch := slices.Clone(b.queue[:n])
	b.queue = slices.Delete(b.queue, 0, n)
	if n == 0 {
		b.flights--
		return nil
	}
	return batch
}

// fly makes the calls of a batch and answers them. It is over when the last
// of them has no time left.
func (b *batcher) fly(batch []*pending) {
	batch = slices.DeleteFunc(batch, func(p *pending) bool { return p.ctx.Err() != nil }) // has gone
	if len(batch) == 0 {
		return
	}
	ctx, cancel := together(batch)
	defer cancel()
	defer func() {
		if panicked := recover(); panicked != nil {
			for _, p := range batch {
				p.done <- outcome{panicked: panicked}
			}
		}
	}()
	outcomes, err := Bounded(ctx, b.caller, func(ctx context.Context) ([]outcome, error) {
		return b.caller.pipeline(ctx, len(batch), func(i int) (*redis.Script, Call) { return batch[i].script, batch[i].call }), nil
	})
	for i, p := range batch {
		if err != nil {
			p.done <- outcome{err: err}
		} else {
			p.done <- outcomes[i]
		}
	}
}

// together returns a context for calls that go together. It lasts as long as the
// longest of theirs. A pipeline has one context for its hooks, so it has the
// values of the first call: a trace keeps that parent.
func together(batch []*pending) (context.Context, context.CancelFunc) {
	var last time.Time
	values := context.WithoutCancel(batch[0].ctx)
	for _, p := range batch {
		deadline, ok := p.ctx.Deadline()
		if !ok {
			return context.WithCancel(values)
		}
		if deadline.After(last) {
			last = deadline
		}
	}
	return context.WithDeadline(values, last)
}
