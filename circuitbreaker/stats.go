// SPDX-License-Identifier: MIT

package circuitbreaker

import "time"

// Counts are outcomes of calls. Slow calls are also counted as Success or
// Failure. A window holds no Ignored ones: no rule looks at them.
type Counts struct {
	Success, Failure, Ignored, Slow uint64
	Consecutive                     int // failures since the last success or change of state
}

// Stats is a snapshot of a breaker. Totals never fall, whatever Reset does.
// Rejected are calls that were not made, Stale are results of calls that a
// state let through which had ended by then, and ShadowRejected are calls made
// only because of [Config.Shadow].
type Stats struct {
	State                                           State
	Since                                           time.Time
	Window                                          Counts // what the rules see now; empty when no rule looks at a window
	Total                                           Counts // every call that ended since New, stale ones included; Consecutive as in Window
	Rejected, Stale, ShadowRejected, ObserverPanics uint64
	Probing                                         int // probes in flight

	times [numStates]time.Duration
}

// In returns how long the breaker has spent in s, up to the snapshot.
func (s Stats) In(state State) time.Duration {
	if int(state) >= len(s.times) {
		return 0
	}
	return s.times[state]
}

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
