// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"context"
	"time"
)

// Observer is told of every change of a breaker's state. Calls are not
// events: their totals are read through [Source].
//
// Events of one breaker arrive in order, one at a time and outside any lock,
// on the goroutine whose call or timer caused the change; an observer may call
// the breaker. A panic is contained and counted in [Stats.ObserverPanics].
type Observer interface {
	ObserveBreaker(ctx context.Context, e Event)
}

// Source is a breaker seen by those who read it from time to time, such as a
// metrics collector. Both methods are cheap and change nothing.
type Source interface {
	Name() string
	Stats() Stats
}

// Kind says what an [Event] is about.
type Kind uint8

const (
	Created Kind = iota // sent by [New], before the breaker is used
	Changed             // the state changed
	Retired             // a [Group] let go of the breaker; its totals stop here
)

// Event is one thing that happened to a breaker. More fields may be added.
type Event struct {
	Kind     Kind
	Source   Source
	Time     time.Time
	From, To State
	Reason   Reason
	Cause    error         // the error that tripped it, or what Trip or ForceOpen was given
	Attempt  int           // how many times in a row it opened without a stable stay in Closed; 0 when closed
	OpenFor  time.Duration // To == Open: time until HalfOpen
	Before   Stats         // the breaker just before the change
	Shadow   bool          // the breaker only reports
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

// Counts are outcomes of calls. Slow calls are also counted as Success or
// Failure. A window holds no Ignored ones: no rule looks at them.
type Counts struct {
	Success, Failure, Ignored, Slow uint64
	Consecutive                     int // failures since the last success or change of state
}

// Observers returns an observer that tells each of list in turn, nils left
// out. A panicking one keeps none of the others from being told. Without any
// it is nil.
func Observers(list ...Observer) Observer {
	var all observers
	for _, o := range list {
		all = append(all, flatten(o)...)
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// observers is the fan-out. A breaker takes it apart, so that each observer is
// contained on its own.
type observers []Observer

func (all observers) ObserveBreaker(ctx context.Context, e Event) {
	for _, o := range all {
		o.ObserveBreaker(ctx, e)
	}
}

func flatten(o Observer) observers {
	switch o := o.(type) {
	case nil:
		return nil
	case observers:
		return o
	default:
		return observers{o}
	}
}
