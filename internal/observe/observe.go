// SPDX-License-Identifier: MIT

// Package observe calls observers the way every holdfast package promises:
// in order, one at a time, outside the caller's locks, and with a panicking
// observer contained and counted.
package observe

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/holdfast-go/holdfast/internal/configerr"
)

// Present returns those of list that are not nil, as [configerr.IsNil] has it.
func Present[O any](list []O) []O {
	return slices.DeleteFunc(slices.Clone(list), func(o O) bool { return configerr.IsNil(o) })
}

// Each calls f with each of list, in order. It defers the rest before it calls
// f with the first, so the rest follow even while a panic or runtime.Goexit of
// the first unwinds the stack.
func Each[O any](list []O, f func(O)) {
	if len(list) == 0 {
		return
	}
	defer Each(list[1:], f)
	f(list[0])
}

// Contain calls f and swallows a panic, counting it in panics.
func Contain(panics *atomic.Uint64, f func()) {
	defer func() {
		if recover() != nil {
			panics.Add(1)
		}
	}()
	f()
}

// Outbox delivers events in the order they were put. [Outbox.Put] only
// appends, so it may be called while the state that the event reports is
// still locked: that fixes the order. [Outbox.Drain] delivers and must be
// called without any lock held.
//
// At most one goroutine delivers at a time; a Drain that finds another one
// delivering returns at once, and the other one takes its events along. An
// observer may therefore call back into whatever it observes.
type Outbox[E any] struct {
	deliver func(context.Context, E)

	mu    sync.Mutex
	queue []letter[E]
	busy  bool
}

type letter[E any] struct {
	ctx   context.Context
	event E
}

// NewOutbox returns an outbox that hands each event to deliver, which must
// not panic (see [Contain]).
func NewOutbox[E any](deliver func(context.Context, E)) *Outbox[E] {
	return &Outbox[E]{deliver: deliver}
}

// Put appends an event. It never blocks on delivery.
func (o *Outbox[E]) Put(ctx context.Context, e E) {
	o.mu.Lock()
	o.queue = append(o.queue, letter[E]{ctx, e})
	o.mu.Unlock()
}

// Drain delivers what was put, until nothing is left.
func (o *Outbox[E]) Drain() {
	o.mu.Lock()
	if o.busy {
		o.mu.Unlock()
		return
	}
	o.busy = true
	// The role is given back even when deliver ends its goroutine
	// (runtime.Goexit); then what is left is delivered before the end.
	defer func() {
		o.busy = false
		left := len(o.queue) > 0
		o.mu.Unlock()
		if left {
			o.Drain()
		}
	}()
	for len(o.queue) > 0 {
		l := o.queue[0]
		o.queue = o.queue[1:]
		o.unlocked(l)
	}
	o.queue = nil
}

// unlocked delivers one letter with the mutex released, and takes it again
// however deliver ends.
func (o *Outbox[E]) unlocked(l letter[E]) {
	o.mu.Unlock()
	defer o.mu.Lock()
	o.deliver(l.ctx, l.event)
}
