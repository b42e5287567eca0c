// SPDX-License-Identifier: MIT

package circuitbreaker

import "time"

// Counts are outcomes of calls. Slow calls are also counted by their outcome. A
// window holds only those Ignored calls that were slow: their callers gave up
// after [Config.SlowCall].
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
	OpenLeft                                        time.Duration // Open: until the breaker is half-open
	Window                                          Counts        // what the rules see now; empty when no rule looks at a window
	Total                                           Counts        // every call that ended since New, stale ones included; Consecutive as in Window
	Rejected, Stale, ShadowRejected, ObserverPanics uint64
	Probing                                         int  // probes in flight
	Shadow                                          bool // the breaker only reports: whatever its state, it rejects nothing

	times [numStates]time.Duration
}

// In returns how long the breaker has spent in s, up to the snapshot.
func (s Stats) In(state State) time.Duration {
	if int(state) >= len(s.times) {
		return 0
	}
	return s.times[state]
}

// Stats returns a snapshot and changes nothing. It allocates nothing, and its
// cost does not depend on the window. It may wait for a transition that is under
// way, never for a call or an observer. Under concurrent calls the counts may be
// of slightly different instants.
func (b *Breaker) Stats() Stats {
	b.current()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stats(b.era.Load(), b.elapsed())
}

// stats is the snapshot as of now, with e as the current era; b.mu is held.
func (b *Breaker) stats(e *era, now time.Duration) Stats {
	s := Stats{
		State: e.state, Since: time.Now().Add(e.since - now), // as the wall clock has it now
		Total:    Counts{Success: b.totals[Success].sum(), Failure: b.totals[Failure].sum(), Ignored: b.totals[Ignored].sum(), Slow: b.slow.Load()},
		Rejected: b.rejected.sum(), Stale: b.stale.Load(),
		ShadowRejected: b.shadowRejected.Load(), ObserverPanics: b.observerPanics.Load(),
		Shadow: b.config.Load().Shadow, times: b.times,
	}
	s.times[e.state] += now - e.since
	if e.state == Open {
		s.OpenLeft = max(e.since+e.openFor-now, 0)
	}
	if e.window != nil {
		s.Window = e.window.counts(now)
	}
	if e.probes != nil {
		s.Probing = e.probes.inFlight()
	}
	s.Window.Consecutive = int(e.streak.Load())
	s.Total.Consecutive = s.Window.Consecutive
	return s
}
