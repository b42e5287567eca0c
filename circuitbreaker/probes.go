// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"sync/atomic"
	"time"
)

// probes admits the calls of one half-open era.
//
// There is one slot per concurrent probe, and a slot holds the ticket of its
// probe: the time at which it began, moved on by a nanosecond where two would
// be equal. Tickets never repeat, so a probe that is settled twice, or after
// its slot went to another one, finds that the slot is not its own.
type probes struct {
	slots     []atomic.Int64
	newest    atomic.Int64 // ticket
	successes atomic.Int64
	watched   atomic.Bool // a timer watches for hung probes
}

// What a slot holds while it holds no ticket.
const (
	freeSlot     = 0
	settlingSlot = -1 // its probe has ended, what follows from that has not
)

func newProbes(concurrent int) *probes {
	return &probes{slots: make([]atomic.Int64, concurrent)}
}

// stamp makes the ticket of a probe that begins now.
func (p *probes) stamp(now time.Duration) time.Duration {
	for {
		newest := p.newest.Load()
		ticket := max(int64(now), newest+1)
		if p.newest.CompareAndSwap(newest, ticket) {
			return time.Duration(ticket)
		}
	}
}

// claim ends the probe. Only the first claim succeeds; it keeps the slot from
// being used until release.
func (p *probes) claim(probe Permit) bool {
	return p.slots[probe.slot-1].CompareAndSwap(int64(probe.start), settlingSlot)
}

func (p *probes) release(probe Permit) { p.slots[probe.slot-1].Store(freeSlot) }

// oldest returns when the oldest probe in flight began, or 0.
func (p *probes) oldest() time.Duration {
	var oldest int64
	for i := range p.slots {
		if ticket := p.slots[i].Load(); ticket > 0 && (oldest == 0 || ticket < oldest) {
			oldest = ticket
		}
	}
	return time.Duration(oldest)
}

func (p *probes) inFlight() int {
	n := 0
	for i := range p.slots {
		if p.slots[i].Load() > 0 {
			n++
		}
	}
	return n
}

// admit lets a call of the half-open era e through if a slot is free. While none
// is, it reads no clock.
func (b *Breaker) admit(e *era) (Permit, bool) {
	for i := range e.probes.slots {
		slot := &e.probes.slots[i]
		if slot.Load() != freeSlot {
			continue
		}
		ticket := e.probes.stamp(b.elapsed())
		if slot.CompareAndSwap(freeSlot, int64(ticket)) {
			b.watch(e)
			return Permit{era: e, start: ticket, slot: i + 1}, true
		}
	}
	return Permit{}, false
}

// watch starts a timer for the probes of e, unless there is one.
func (b *Breaker) watch(e *era) {
	if e.probes.watched.CompareAndSwap(false, true) {
		time.AfterFunc(b.policy.probes.Timeout, func() { b.checkProbes(e) })
	}
}

// checkProbes reopens the breaker when a probe of e has taken longer than
// Probes.Timeout. It runs again while probes are in flight.
func (b *Breaker) checkProbes(e *era) {
	if b.era.Load() != e {
		return
	}
	oldest := e.probes.oldest()
	if oldest == 0 {
		b.unwatch(e)
		return
	}
	if left := oldest + b.policy.probes.Timeout - b.elapsed(); left > 0 {
		time.AfterFunc(left, func() { b.checkProbes(e) })
		return
	}
	b.transition(noContext, e, change{to: Open, reason: ProbeTimedOut, cause: errProbeTimedOut})
}

// unwatch clears the flag, so that an idle half-open breaker has no timer. A
// probe that began before the flag was cleared started no timer of its own, so
// the probes are checked once more.
func (b *Breaker) unwatch(e *era) {
	e.probes.watched.Store(false)
	if e.probes.oldest() != 0 {
		b.watch(e)
	}
}
