// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/internal/observe"
)

// Breaker guards calls to one dependency. Make it with [New]; all methods are
// safe for concurrent use. It has no Close, because it keeps no goroutine: one
// that is dropped is collected, at the latest when the timer of its open time or
// of a probe has fired.
//
// A Breaker that is nil, or not made with New or by a [Group], fails each call
// with [ErrInvalid]; its other methods panic and say so.
type Breaker struct {
	era    atomic.Pointer[era]
	config atomic.Pointer[Config] // with its defaults; immutable
	name   string
	group  string // of the group that it belongs to; "" for none
	born   time.Time

	totals             [Ignored + 1]counter // of calls that ended, by outcome; no reset touches them
	rejected, admitted counter              // admitted only by a group's breakers

	slow, stale, shadowRejected, observerPanics atomic.Uint64
	grouped                                     bool

	mu      sync.Mutex               // orders changes, their events and clocks; see transition
	times   [numStates]time.Duration // spent in each state before the current stay
	alarms  []time.Duration          // of the timers that have not fired, the soonest last; see wakeAt
	retired bool                     // no event follows OpRetired
	outbox  *observe.Outbox[Event]   // nil without an observer
}

// New returns a breaker in the state [Config.Start], or every contradiction in
// cfg joined into one error of [*ConfigError] values. The observer gets an
// [OpNew] event before New returns.
func New(cfg Config) (*Breaker, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	b := newBreaker(cfg.Name, "", &cfg, false)
	b.deliver()
	return b, nil
}

// newBreaker leaves the OpNew event in the outbox.
func newBreaker(name, group string, cfg *Config, grouped bool) *Breaker {
	b := &Breaker{name: name, group: group, born: time.Now(), grouped: grouped}
	b.config.Store(cfg)
	first := &era{breaker: b, state: Closed, window: cfg.newWindow()}
	if cfg.Observer != nil {
		b.outbox = observe.NewOutbox(b.notify)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.era.Store(first)
	e := Event{Time: b.born, Shadow: cfg.Shadow}
	if cfg.Start != Closed {
		c := change{to: cfg.Start, reason: ByHand}
		e = b.begin(b.follow(cfg, first, c), first, c)
	}
	e.Op, e.From, e.To = OpNew, cfg.Start, cfg.Start
	b.post(noContext, e)
	return b
}

// notify passes an event to the observer and contains its panic.
func (b *Breaker) notify(ctx context.Context, e Event) {
	observe.Contain(&b.observerPanics, func() { b.config.Load().Observer.ObserveBreaker(ctx, e) })
}

// post puts an event into the outbox; b.mu is held.
func (b *Breaker) post(ctx context.Context, e Event) {
	if b.outbox != nil && !b.retired {
		e.Source, e.Group = b, b.group
		b.outbox.Put(ctx, e)
	}
}

// deliver empties the outbox; b.mu is not held.
func (b *Breaker) deliver() {
	if b.outbox != nil {
		b.outbox.Drain()
	}
}

// elapsed is the time since the breaker was made: one reading of the monotonic
// clock, so steps of the wall clock have no effect.
func (b *Breaker) elapsed() time.Duration { return time.Since(b.born) }

// current returns the current stay. It panics for a breaker that was not made.
func (b *Breaker) current() *era {
	if b != nil {
		if e := b.era.Load(); e != nil {
			return e
		}
	}
	panic(errNotMade)
}

// Name returns [Config.Name], or the name that the breaker has in its [Group].
func (b *Breaker) Name() string {
	b.current()
	return b.name
}

// State returns the current state. Reading it changes nothing, and it is right
// without traffic: a timer makes an open breaker half-open. One atomic load.
func (b *Breaker) State() State { return b.current().state }

// count adds the call to the totals.
func (b *Breaker) count(o Outcome, slow bool) {
	b.totals[o].add()
	if slow {
		b.slow.Add(1)
	}
}
