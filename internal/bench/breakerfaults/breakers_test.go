// SPDX-License-Identifier: MIT

package breakerfaults

import (
	"context"
	"errors"
	"time"

	"github.com/failsafe-go/failsafe-go"
	fscb "github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/sony/gobreaker/v2"

	"github.com/holdfast-go/holdfast/circuitbreaker"
)

// guard is a breaker of any make. All are set up to do the same: three failures
// in a row open it for ten seconds, then one probe at a time, and one success
// closes it. The caller's own cancellation is as neutral as each can make it.
type guard interface {
	call(ctx context.Context, fn func(context.Context) error) error
	isClosed() bool
	reset()
}

// hooks are the user's functions that a breaker calls; nil ones are not set.
type hooks struct {
	changed   func()                  // the state changed
	isFailure func(error) bool        // of an error that is not nil
	trips     func(failures int) bool // own rule, after a failure; in a row
}

const openFor = 10 * time.Second

// breaker is one of the makes.
type breaker struct {
	name, module string
	new          func(hooks) guard
	lacks        []string // faults that cannot happen to it for want of the feature
}

var breakers = []breaker{
	{name: "holdfast", new: newHoldfast},
	{name: "gobreaker", module: "github.com/sony/gobreaker/v2", new: newGobreaker, lacks: []string{"Reset at the timer's instant"}},
	{name: "failsafe-go", module: "github.com/failsafe-go/failsafe-go", new: newFailsafe, lacks: []string{"panicking rule"}},
}

type holdfast struct{ *circuitbreaker.Breaker }

func newHoldfast(h hooks) guard {
	cfg := circuitbreaker.Config{
		Name: "fault", ConsecutiveFailures: 3,
		OpenFor: circuitbreaker.Backoff{Base: openFor, Jitter: -1},
		Probes:  circuitbreaker.Probes{Concurrent: 1, Successes: 1},
	}
	if h.changed != nil {
		cfg.Observer = observer(func(context.Context, circuitbreaker.Event) { h.changed() })
	}
	if h.trips != nil {
		cfg.ConsecutiveFailures = -1
		cfg.TripWhen = func(c circuitbreaker.Counts) bool { return h.trips(c.Consecutive) }
	}
	if h.isFailure != nil {
		cfg.Classify = func(_ context.Context, err error) circuitbreaker.Outcome {
			if err != nil && h.isFailure(err) {
				return circuitbreaker.Failure
			}
			return circuitbreaker.Success
		}
	}
	b, err := circuitbreaker.New(cfg)
	if err != nil {
		panic(err)
	}
	return holdfast{b}
}

func (g holdfast) call(ctx context.Context, fn func(context.Context) error) error {
	return g.Do(ctx, fn)
}
func (g holdfast) isClosed() bool { return g.State() == circuitbreaker.Closed }
func (g holdfast) reset()         { g.Reset() }

type sonys struct {
	*gobreaker.CircuitBreaker[struct{}]
}

func newGobreaker(h hooks) guard {
	s := gobreaker.Settings{
		MaxRequests: 1, Timeout: openFor,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= 3 },
		IsExcluded:  func(err error) bool { return errors.Is(err, context.Canceled) },
	}
	if h.changed != nil {
		s.OnStateChange = func(string, gobreaker.State, gobreaker.State) { h.changed() }
	}
	if h.trips != nil {
		s.ReadyToTrip = func(c gobreaker.Counts) bool { return h.trips(int(c.ConsecutiveFailures)) }
	}
	if h.isFailure != nil {
		s.IsSuccessful = func(err error) bool { return err == nil || !h.isFailure(err) }
	}
	return sonys{gobreaker.NewCircuitBreaker[struct{}](s)}
}

func (g sonys) call(ctx context.Context, fn func(context.Context) error) error {
	_, err := g.Execute(func() (struct{}, error) { return struct{}{}, fn(ctx) })
	return err
}
func (g sonys) isClosed() bool { return g.State() == gobreaker.StateClosed }
func (g sonys) reset()         { panic("gobreaker has no reset") }

type failsafes struct{ fscb.CircuitBreaker[any] }

func newFailsafe(h hooks) guard {
	builder := fscb.NewBuilder[any]().WithFailureThreshold(3).WithSuccessThreshold(1).WithDelay(openFor)
	if h.changed != nil {
		builder = builder.OnStateChanged(func(fscb.StateChangedEvent) { h.changed() })
	}
	builder = builder.HandleIf(func(_ any, err error) bool {
		if h.isFailure != nil && err != nil {
			return h.isFailure(err)
		}
		return err != nil && !errors.Is(err, context.Canceled)
	})
	return failsafes{builder.Build()}
}

func (g failsafes) call(ctx context.Context, fn func(context.Context) error) error {
	return failsafe.With(g.CircuitBreaker).WithContext(ctx).Run(func() error { return fn(ctx) })
}
func (g failsafes) isClosed() bool { return g.IsClosed() }
func (g failsafes) reset()         { g.Close() }
