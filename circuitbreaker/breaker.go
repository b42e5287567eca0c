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
type Breaker struct {
	era    atomic.Pointer[era]
	policy *policy
	name   string
	born   time.Time

	success, rejected                             counter
	failure, ignored, slow, stale, shadowRejected atomic.Uint64

	mu   sync.Mutex // orders transitions, their events and clocks; see transition
	mail *mail      // nil without an observer
}

// mail delivers events to the observer.
type mail struct {
	*observe.Outbox[Event]
	panics  atomic.Uint64
	retired bool // no event follows OpRetired; under Breaker.mu
}

// New returns a closed breaker, or every contradiction in cfg joined into one
// error of [*ConfigError] values. The observer gets an [OpCreated] event before
// New returns.
func New(cfg Config) (*Breaker, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	b := newBreaker(cfg.Name, newPolicy(cfg))
	b.deliver()
	return b, nil
}

// newBreaker leaves the OpCreated event in the outbox.
func newBreaker(name string, p *policy) *Breaker {
	b := &Breaker{policy: p, name: name, born: time.Now()}
	b.era.Store(&era{breaker: b, state: Closed, plain: p.plain(Closed), clocks: &firstClocks, window: p.newWindow()})
	if p.observer != nil {
		b.mail = new(mail)
		b.mail.Outbox = observe.NewOutbox(b.notify)
		b.post(noContext, Event{Op: OpCreated, Source: b, Time: b.born, Shadow: p.shadow})
	}
	return b
}

// notify passes an event to the observer and contains its panic.
func (b *Breaker) notify(ctx context.Context, e Event) {
	observe.Contain(&b.mail.panics, func() { b.policy.observer.ObserveBreaker(ctx, e) })
}

// post puts an event into the outbox; b.mu is held, or b is not yet shared.
func (b *Breaker) post(ctx context.Context, e Event) {
	if b.mail != nil && !b.mail.retired {
		b.mail.Put(ctx, e)
	}
}

// deliver empties the outbox; b.mu is not held.
func (b *Breaker) deliver() {
	if b.mail != nil {
		b.mail.Drain()
	}
}

// elapsed is the time since the breaker was made: one reading of the monotonic
// clock, so steps of the wall clock have no effect.
func (b *Breaker) elapsed() time.Duration { return time.Since(b.born) }

// Name returns [Config.Name], or the name that the breaker has in its [Group].
func (b *Breaker) Name() string { return b.name }

// State returns the current state. Reading it changes nothing, and it is right
// without traffic: a timer makes an open breaker half-open. One atomic load.
func (b *Breaker) State() State { return b.era.Load().state }

// count adds the outcome to the totals, which no reset touches.
func (b *Breaker) count(o Outcome, slow bool) {
	switch o {
	case Success:
		b.success.add()
	case Failure:
		b.failure.Add(1)
	case Ignored:
		b.ignored.Add(1)
	}
	if slow {
		b.slow.Add(1)
	}
}
