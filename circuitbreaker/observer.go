// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"context"
	"time"

	"github.com/holdfast-go/holdfast/internal/observe"
)

// Observer gets an event for every change of a breaker's state. Calls are not
// events: their totals are read through [Source].
//
// Events of one breaker arrive in order, one at a time and outside any lock,
// on the goroutine whose call or timer caused the change; an observer may call
// the breaker. While it runs, later events wait in memory: it must be fast. A panic
// is contained and counted in [Stats.ObserverPanics].
type Observer interface {
	ObserveBreaker(ctx context.Context, e Event)
}

// Observers returns an observer that passes each event to each of list in
// order, without those that are nil. One that panics does not keep the event
// from the others.
func Observers(list ...Observer) Observer { return observers(observe.Present(list)) }

type observers []Observer

func (all observers) ObserveBreaker(ctx context.Context, e Event) {
	observe.Each(all, func(o Observer) { o.ObserveBreaker(ctx, e) })
}

// Source is the breaker of an event, for observers that read it later, such as
// a metrics collector. Both methods are cheap and change nothing.
type Source interface {
	Name() string
	Stats() Stats
}

// Op says what an [Event] is about.
type Op uint8

const (
	OpNew     Op = iota // the breaker was made; From and To are its first state
	OpChanged           // the state changed
	OpRetired           // a [Group] dropped the breaker: its totals stop here
)

// String returns "created", "changed" or "retired".
func (o Op) String() string { return name(o, "created", "changed", "retired") }

// Event is one thing that happened to a breaker. More fields may be added.
type Event struct {
	Op       Op
	Source   Source
	Group    string // the name of the group that the breaker belongs to; "" for none
	Time     time.Time
	From, To State
	Reason   Reason
	Cause    error         // the error that opened it, or the cause given to Trip or ForceOpen
	Attempt  int           // how many times in a row it opened without a stable stay in Closed; 0 when closed
	OpenFor  time.Duration // To == Open: time until HalfOpen
	Before   Stats         // the breaker just before the change
	Shadow   bool          // the breaker only reports
}
