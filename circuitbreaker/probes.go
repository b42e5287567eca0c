// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"sync"
	"sync/atomic"
	"time"
)

// probes are the calls that a half-open stay lets through, and its verdict on
// them. The configuration is the one of the beginning of the stay.
//
// The stay judges a number of probes by the rates that may be reached among
// them. Without [Probes.Of] the number is Probes.Successes, and any failure is
// too many.
type probes struct {
	concurrent            int64
	timeout               time.Duration
	of                    uint64
	failureRate, slowRate float64

	taken atomic.Int64 // slots; what a rejection reads

	mu      sync.Mutex
	running map[*probe]struct{}
	judged  Counts // Ignored are slow ones
}

// probe is a call in flight. A probe that has taken too long is no longer
// running, but not settled.
type probe struct {
	start   time.Duration
	settled bool
}

func newProbes(cfg *Config) *probes {
	p := &probes{
		concurrent: int64(cfg.Probes.Concurrent), timeout: cfg.Probes.Timeout,
		of: uint64(cfg.Probes.Of), failureRate: cfg.FailureRate, slowRate: cfg.SlowRate,
		running: make(map[*probe]struct{}),
	}
	if p.of == 0 {
		p.of, p.failureRate = uint64(cfg.Probes.Successes), tolerance
		if p.slowRate > 0 {
			p.slowRate = tolerance
		}
	}
	return p
}

// probe lets a call of the half-open stay e through, or returns nil. While no
// slot is free, it takes no lock and reads no clock.
func (b *Breaker) probe(e *era) *probe {
	p := e.probes
	if p.taken.Load() >= p.concurrent {
		return nil
	}
	if p.taken.Add(1) > p.concurrent {
		p.taken.Add(-1)
		return nil
	}
	one := &probe{start: b.elapsed()}
	p.mu.Lock()
	p.running[one] = struct{}{}
	p.mu.Unlock()
	b.mu.Lock()
	b.wakeAt(one.start + p.timeout)
	b.mu.Unlock()
	return one
}

// settle ends a probe and returns the state that follows, HalfOpen while that is
// not certain. It does nothing for one that is settled already; late means that
// the probe had been counted as failed.
//
// After the verdict no slot is free: no call that saw the stay is let through.
func (p *probes) settle(one *probe, o Outcome, slow bool) (next State, first, late bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if one.settled {
		return HalfOpen, false, false
	}
	one.settled = true
	if _, running := p.running[one]; !running {
		return HalfOpen, true, true
	}
	delete(p.running, one)
	slow = slow && p.slowRate > 0
	if o != Ignored || slow {
		p.judged.add(o, slow, 1)
	}
	return p.end(), true, false
}

// end frees the slot of a probe that was judged, or takes all after the verdict,
// which it returns. p.mu is held.
func (p *probes) end() (next State) {
	next = p.verdict()
	if next == HalfOpen {
		p.taken.Add(-1)
	} else {
		p.taken.Add(p.concurrent)
	}
	return next
}

// reopen takes a verdict back that could not be carried out: the next probe
// decides.
func (p *probes) reopen() { p.taken.Add(-p.concurrent - 1) }

// verdict returns the state that the probes judged so far lead to, whatever the
// others will bring: Closed, Open, or HalfOpen while both are possible.
func (p *probes) verdict() State {
	c := p.judged
	done := c.Success + c.Failure + c.Ignored
	rest := p.of - min(done, p.of)
	switch {
	case c.Failure >= 2 && c.Success == 0,
		reached(p.failureRate, c.Failure, p.of), reached(p.slowRate, c.Slow, p.of):
		return Open
	case reached(p.failureRate, c.Failure+rest, p.of), reached(p.slowRate, c.Slow+rest, p.of):
		return HalfOpen
	}
	return Closed
}

// expire counts each probe that has taken longer than the timeout as one
// failure, and returns the state that follows and when to look again; 0 if no
// probe is in flight.
func (p *probes) expire(now time.Duration) (next State, due time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next = HalfOpen
	for one := range p.running {
		switch ends := one.start + p.timeout; {
		case ends > now && (due == 0 || ends < due):
			due = ends
		case ends <= now:
			delete(p.running, one)
			p.judged.add(Failure, p.slowRate > 0, 1)
			if next = p.end(); next != HalfOpen {
				return next, 0
			}
		}
	}
	return next, due
}

func (p *probes) inFlight() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.running)
}
