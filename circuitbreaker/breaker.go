// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/internal/observe"
)

// Breaker guards calls to one dependency. Make it with [New]; all methods may
// be called from any number of goroutines. It needs no Close: it keeps no
// goroutine, and one that is dropped is collected, at the latest when the timer
// of its open time or of a probe has fired.
type Breaker struct {
	era    atomic.Pointer[era]
	policy *policy
	name   string
	born   time.Time

	success, rejected                             counter
	failure, ignored, slow, stale, shadowRejected atomic.Uint64

	mu   sync.Mutex // orders transitions, their events and clocks; see transition
	mail *mail      // nil without observers
}

// mail brings events to the observers.
type mail struct {
	*observe.Outbox[Event]
	panics  atomic.Uint64
	retired bool // no event follows Retired; under Breaker.mu
}

// New returns a closed breaker, or every contradiction in cfg joined into one
// error of [*ConfigError] values. Observers get a Created event before New
// returns.
func New(cfg Config) (*Breaker, error) {
	p, problems := newPolicy(cfg)
	if err := problems.join(); err != nil {
		return nil, err
	}
	b := newBreaker(cfg.Name, p)
	b.deliver()
	return b, nil
}

// newBreaker leaves the Created event in the outbox.
func newBreaker(name string, p *policy) *Breaker {
	b := &Breaker{policy: p, name: name, born: time.Now()}
	b.era.Store(&era{breaker: b, state: Closed, plain: p.plain(Closed), clocks: &firstClocks, window: p.newWindow()})
	if p.observer != nil {
		b.mail = new(mail)
		b.mail.Outbox = observe.NewOutbox(b.tell)
		b.post(noContext, Event{Kind: Created, Source: b, Time: b.born, Shadow: p.shadow})
	}
	return b
}

// tell hands an event to each observer. One that panics keeps nobody else from
// being told.
func (b *Breaker) tell(ctx context.Context, e Event) {
	for _, o := range flatten(b.policy.observer) {
		observe.Contain(&b.mail.panics, func() { o.ObserveBreaker(ctx, e) })
	}
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
// clock, so steps of the wall clock do not matter.
func (b *Breaker) elapsed() time.Duration { return time.Since(b.born) }

// Name returns [Config.Name], or the name that the breaker has in its [Group].
func (b *Breaker) Name() string { return b.name }

// State returns the current state. Reading it changes nothing, and it is right
// without traffic: a timer makes an open breaker half-open. One atomic load.
func (b *Breaker) State() State { return b.era.Load().state }

// Stats returns a snapshot and changes nothing. It allocates nothing; its cost
// grows with the buckets or calls of the window. It may wait for a transition
// that is under way, never for a call or an observer. Under concurrent calls
// the counts may be of slightly different instants.
func (b *Breaker) Stats() Stats {
	b.mu.Lock()
	e, now := b.era.Load(), b.elapsed()
	b.mu.Unlock()
	return b.stats(e, now)
}

// stats is the snapshot as of now, with e as the current era.
func (b *Breaker) stats(e *era, now time.Duration) Stats {
	s := Stats{
		State: e.state, Since: b.born.Add(e.since),
		Total:    Counts{Success: b.success.sum(), Failure: b.failure.Load(), Ignored: b.ignored.Load(), Slow: b.slow.Load()},
		Rejected: b.rejected.sum(), Stale: b.stale.Load(), ShadowRejected: b.shadowRejected.Load(),
		times: e.times,
	}
	s.times[e.state] += now - e.since
	if e.window != nil {
		s.Window = e.window.counts(now)
	}
	if e.probes != nil {
		s.Probing = e.probes.inFlight()
	}
	if b.mail != nil {
		s.ObserverPanics = b.mail.panics.Load()
	}
	s.Window.Consecutive = int(e.streak.Load())
	s.Total.Consecutive = s.Window.Consecutive
	return s
}

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
