// SPDX-License-Identifier: MIT

package metrics

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/holdfast-go/holdfast/circuitbreaker"
)

type breakerSeries struct {
	to [circuitbreaker.Disabled + 1]atomic.Uint64
}

// ObserveBreaker implements [circuitbreaker.Observer]. It counts changes of
// state; everything else is read from the source at scrape, so that the state
// is right even when no call comes.
func (m *Metrics) ObserveBreaker(_ context.Context, e circuitbreaker.Event) {
	if e.Source == nil {
		return
	}
	switch name := m.members.name(e); e.Op {
	case circuitbreaker.OpNew:
		m.breakers.add(name, e.Source)
	case circuitbreaker.OpRetired:
		if name == e.Group {
			m.breakers.close(name, e.Source)
		} else {
			m.breakers.retire(e.Source, name)
			m.members.remove(e.Source)
		}
	case circuitbreaker.OpChanged:
		// A retired breaker may still be in use; it is not added again.
		if s := m.breakers.find(name); s != nil && int(e.To) < len(s.to) {
			s.to[e.To].Add(1)
		}
	}
}

// members are the breakers of groups that have series of their own.
type members struct {
	max int
	mu  sync.Mutex
	own map[circuitbreaker.Source]bool
}

// name returns what a breaker is counted under: its own name, or its group's.
func (m *members) name(e circuitbreaker.Event) string {
	if e.Group == "" {
		return e.Source.Name()
	}
	if m.max == 0 {
		return e.Group
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.Op == circuitbreaker.OpNew && len(m.own) < m.max {
		if m.own == nil {
			m.own = make(map[circuitbreaker.Source]bool)
		}
		m.own[e.Source] = true
	}
	if m.own[e.Source] {
		return e.Source.Name()
	}
	return e.Group
}

func (m *members) remove(b circuitbreaker.Source) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.own, b)
}

// Places in breakerTotals; the seconds in each state follow.
const (
	totalSuccess = iota
	totalFailure
	totalIgnored
	totalRejected
	totalSlow
	totalStale
	totalShadow
	totalBreakerPanics
	totalSeconds
)

func breakerTotals(s circuitbreaker.Stats) []float64 {
	t := []float64{
		totalSuccess:       float64(s.Total.Success),
		totalFailure:       float64(s.Total.Failure),
		totalIgnored:       float64(s.Total.Ignored),
		totalRejected:      float64(s.Rejected),
		totalSlow:          float64(s.Total.Slow),
		totalStale:         float64(s.Stale),
		totalShadow:        float64(s.ShadowRejected),
		totalBreakerPanics: float64(s.ObserverPanics),
	}
	for _, state := range breakerStates {
		t = append(t, s.In(state).Seconds())
	}
	return t
}

func (o output) breaker(r reading[circuitbreaker.Stats, breakerSeries]) {
	var in [circuitbreaker.Disabled + 1]float64
	var probes, good, bad float64
	for _, s := range r.live {
		if state := effective(s); int(state) < len(in) {
			in[state]++
		}
		probes += float64(s.Probing)
		good += float64(s.Window.Success)
		bad += float64(s.Window.Failure)
	}
	for i, state := range breakerStates {
		if len(r.live) > 0 {
			o.put(breakerState, in[state], r.label, state.String())
		}
		o.put(breakerStateSeconds, r.totals[totalSeconds+i], r.label, state.String())
		o.put(breakerTransitions, float64(r.pushed.to[state].Load()), r.label, state.String())
	}
	o.put(breakerCalls, r.totals[totalSuccess], r.label, "success")
	o.put(breakerCalls, r.totals[totalFailure], r.label, "failure")
	o.put(breakerCalls, r.totals[totalIgnored], r.label, "ignored")
	o.put(breakerCalls, r.totals[totalRejected], r.label, "rejected")
	o.put(breakerSlow, r.totals[totalSlow], r.label)
	o.put(breakerStale, r.totals[totalStale], r.label)
	o.put(breakerShadow, r.totals[totalShadow], r.label)
	if len(r.live) > 0 {
		o.put(breakerFailureRatio, bad/max(good+bad, 1), r.label)
		o.put(breakerProbes, probes, r.label)
	}
	o.put(observerPanics, r.totals[totalBreakerPanics], "circuitbreaker", r.label)
}

// effective is the state as calls meet it: one in shadow mode rejects none.
func effective(s circuitbreaker.Stats) circuitbreaker.State {
	if s.Shadow && s.State != circuitbreaker.Disabled {
		return circuitbreaker.Closed
	}
	return s.State
}
