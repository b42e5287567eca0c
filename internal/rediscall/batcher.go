// SPDX-License-Identifier: MIT

package rediscall

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	maxFlights = 4   // round trips of a lane that are under way at once
	maxSeats   = 128 // calls in one pipeline
)

// batcher lets calls that are made at the same time share round trips. The
// first few go out alone and at once. Calls that are made while those are under
// way wait until one comes back, and then go out in one pipeline. So no call
// waits for company, and the busier the client, the fewer system calls a script
// costs on either side. A client that ignores contexts costs a goroutine a
// pipeline, rather than one a call.
//
// A call waits for scripts of its own lane only. All calls to one server are in
// one lane. Where there may be several servers, each hash slot in use has its
// own, so a slow server does not hold up the calls to others. Safe for
// concurrent use.
type batcher struct {
	caller *Caller
	one    bool // there is one server

	mu    sync.Mutex
	lanes map[string]*lane // by hash tag; those in use
}

type lane struct {
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
	tag := ""
	if !b.one {
		tag = hashTag(call.Keys[0])
	}
	b.mu.Lock()
	l := b.lanes[tag]
	if l == nil {
		l = new(lane)
		b.lanes[tag] = l
	}
	if l.flights < maxFlights {
		l.flights++
		b.mu.Unlock()
		defer b.land(tag)
		return b.caller.alone(ctx, script, call)
	}
	p := &pending{ctx, script, call, make(chan outcome, 1)}
	l.queue = append(l.queue, p)
	b.mu.Unlock()
	select {
	case o := <-p.done:
		if o.panicked != nil {
			panic(o.panicked)
		}
		return o.answer, o.err
	case <-ctx.Done():
		b.mu.Lock()
		defer b.mu.Unlock()
		if i := slices.Index(l.queue, p); i >= 0 {
			l.queue = slices.Delete(l.queue, i, i+1)
		}
		return nil, ctx.Err()
	}
}

// hashTag is the part of a key that decides its slot in a Cluster.
func hashTag(key string) string {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			return tag
		}
	}
	return key
}

// land ends a flight. The calls that wait go out on a goroutine that ends with
// the last of them.
func (b *batcher) land(tag string) {
	if batch := b.board(tag); batch != nil {
		go func() {
			for batch != nil {
				b.fly(batch)
				batch = b.board(tag)
			}
		}()
	}
}

// board returns the calls that go out next. It returns nil when the flight ends
// because none wait.
func (b *batcher) board(tag string) []*pending {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.lanes[tag]
	n := min(len(l.queue), maxSeats)
	if n == 0 {
		if l.flights--; l.flights == 0 && !b.one {
			delete(b.lanes, tag)
		}
		return nil
	}
	batch := slices.Clone(l.queue[:n])
	l.queue = slices.Delete(l.queue, 0, n)
	return batch
}

// fly makes the calls of a batch and answers them. It is over when the last
// of them has no time left.
func (b *batcher) fly(batch []*pending) {
	batch = slices.DeleteFunc(batch, func(p *pending) bool { return p.ctx.Err() != nil }) // has given up
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
// longest of theirs. A pipeline has one context for its hooks: it has the values
// of the first call, and the contexts of all for [Callers].
func together(batch []*pending) (context.Context, context.CancelFunc) {
	callers := make([]context.Context, len(batch))
	var last time.Time
	endless := false
	for i, p := range batch {
		callers[i] = p.ctx
		deadline, ok := p.ctx.Deadline()
		endless = endless || !ok
		if deadline.After(last) {
			last = deadline
		}
	}
	ctx := context.WithValue(context.WithoutCancel(callers[0]), callersKey{}, callers)
	if endless {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, last)
}

type callersKey struct{}

// Callers returns the contexts of the calls that share the pipeline of ctx, or
// nil when ctx is that of the only one.
func Callers(ctx context.Context) []context.Context {
	callers, _ := ctx.Value(callersKey{}).([]context.Context)
	return callers
}
