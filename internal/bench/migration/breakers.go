// SPDX-License-Identifier: MIT

package migration

import (
	"context"
	"errors"
	"time"

	"github.com/failsafe-go/failsafe-go"
	failsafebreaker "github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/sony/gobreaker/v2"

	"github.com/holdfast-go/holdfast/circuitbreaker"
)

// finder asks a dependency for the price of a room.
type finder func(ctx context.Context, room string) (int, error)

// errNoRoom is an answer of the dependency, and no failure.
var errNoRoom = errors.New("there is no such room")

// withGobreaker guards a dependency: opens after 5 failures in a row, for 30 s,
// and closes after 2 probes.
func withGobreaker(find finder) finder {
	breaker := gobreaker.NewCircuitBreaker[int](gobreaker.Settings{
		Name:         "pms",
		MaxRequests:  2,
		Timeout:      30 * time.Second,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= 5 },
		IsSuccessful: func(err error) bool { return err == nil || errors.Is(err, errNoRoom) },
	})
	return func(ctx context.Context, room string) (int, error) {
		price, err := breaker.Execute(func() (int, error) { return find(ctx, room) })
		if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
			return 0, errBusy
		}
		return price, err
	}
}

// withFailsafe is the same with failsafe-go.
func withFailsafe(find finder) finder {
	breaker := failsafebreaker.NewBuilder[int]().
		HandleIf(func(_ int, err error) bool { return err != nil && !errors.Is(err, errNoRoom) }).
		WithFailureThreshold(5).
		WithDelay(30 * time.Second).
		WithSuccessThreshold(2).
		Build()
	return func(ctx context.Context, room string) (int, error) {
		price, err := failsafe.With(breaker).WithContext(ctx).Get(func() (int, error) { return find(ctx, room) })
		if errors.Is(err, failsafebreaker.ErrOpen) {
			return 0, errBusy
		}
		return price, err
	}
}

// withHoldfastBreaker is the same with holdfast.
func withHoldfastBreaker(find finder) (finder, error) {
	breaker, err := circuitbreaker.New(circuitbreaker.Config{
		Name:                "pms",
		ConsecutiveFailures: 5,
		OpenFor:             circuitbreaker.Backoff{Base: 30 * time.Second, Max: 30 * time.Second, Jitter: -1},
		Probes:              circuitbreaker.Probes{Successes: 2},
		Classify: func(_ context.Context, err error) circuitbreaker.Outcome {
			if errors.Is(err, errNoRoom) {
				return circuitbreaker.Success
			}
			return circuitbreaker.Failure
		},
	})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, room string) (int, error) {
		price, err := circuitbreaker.Do(ctx, breaker, func(ctx context.Context) (int, error) { return find(ctx, room) })
		if errors.Is(err, circuitbreaker.ErrOpen) {
			return 0, errBusy
		}
		return price, err
	}, nil
}

// errBusy is the fallback.
var errBusy = errors.New("ask again in a moment")
