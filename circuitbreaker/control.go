// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/internal/configerr"
)

// Trip opens the breaker as a rule would: it recovers through probes after its
// open time. cause is in the rejections and the event; it may be nil. A breaker
// that is Open, ForcedOpen or Disabled stays as it is.
func (b *Breaker) Trip(cause error) {
	b.force(change{to: Open, reason: ByHand, cause: cause}, Open, ForcedOpen, Disabled)
}

// TripFor is [Breaker.Trip] with an open time, which is neither jittered nor cut
// to Backoff.Max. A breaker that is open already stays open for that long from
// now on; there is no event, because its state does not change. An openFor that is
// not positive makes it Trip.
func (b *Breaker) TripFor(openFor time.Duration, cause error) {
	if openFor <= 0 {
		b.Trip(cause)
		return
	}
	b.force(change{to: Open, reason: ByHand, cause: cause, openFor: openFor}, ForcedOpen, Disabled)
}

// ForceOpen opens the breaker until [Breaker.Reset]: no timer and no probe
// changes that. cause is in the rejections and the event; it may be nil.
func (b *Breaker) ForceOpen(cause error) {
	b.force(change{to: ForcedOpen, reason: ByHand, cause: cause}, ForcedOpen)
}

// Disable lets every call through until [Breaker.Reset]. Calls are still
// counted, but no rule is checked.
func (b *Breaker) Disable() {
	b.force(change{to: Disabled, reason: ByHand}, Disabled)
}

// Probe makes the breaker half-open, from any state: the next calls are probes,
// and decide.
func (b *Breaker) Probe() {
	b.force(change{to: HalfOpen, reason: ByHand}, HalfOpen)
}

// Reset closes the breaker from any state, with an empty window, no streak and
// no attempts. Results of calls in flight no longer count for the rules. The
// totals stay. A breaker that is closed already is emptied without an event:
// its state does not change.
func (b *Breaker) Reset() {
	b.force(change{to: Closed, reason: ByHand})
}

// force makes the change unless the breaker is in one of the states to keep.
func (b *Breaker) force(c change, keep ...State) {
	for {
		e := b.current()
		if slices.Contains(keep, e.state) || b.transition(noContext, e, c) {
			return
		}
	}
}

// Update replaces the configuration of a breaker in use, except for its Name,
// Observer and Trace: a Name other than the breaker's is a contradiction, the others
// are not looked at. Start has no effect. A contradiction changes nothing; all of
// them are in one error of [*ConfigError] values.
//
// The state, the streak and the totals stay. Counts stay while Window does, and
// while a rule looks at it; otherwise the window begins empty, and results of
// calls in flight no longer count for the rules. A half-open stay ends by the
// configuration that it began with, and an open one keeps its open time.
func (b *Breaker) Update(cfg Config) error {
	if b == nil || b.era.Load() == nil {
		return errNotMade
	}
	cfg, err := cfg.updated(b.name, b.config.Load())
	if err == nil {
		b.update(&cfg)
	}
	return err
}

// updated returns cfg with its defaults, for something that has that name and
// configuration.
func (cfg Config) updated(name string, old *Config) (Config, error) {
	p := configerr.Collect(problem)
	p.Want(cfg.Name == "" || cfg.Name == name, "Name", cfg.Name, fmt.Sprintf("%q: a name cannot change", name))
	cfg.Name, cfg.Observer, cfg.Trace = name, old.Observer, old.Trace
	cfg, err := cfg.withDefaults()
	p.Add(err)
	return cfg, p.Err()
}

func (b *Breaker) update(cfg *Config) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old, e := b.config.Swap(cfg), b.era.Load()
	if (e.state == Closed || e.state == Disabled) && (old.windowed() != cfg.windowed() || old.Window != cfg.Window) {
		next := &era{breaker: b, state: e.state, attempt: e.attempt, since: e.since, window: cfg.newWindow()}
		next.streak.Store(e.streak.Load())
		b.era.Store(next)
	}
}
