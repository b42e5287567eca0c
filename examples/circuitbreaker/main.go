// SPDX-License-Identifier: MIT

// A weather service goes down and comes back. The breaker spares it the calls
// meanwhile, and the caller the waiting.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/circuitbreaker"
)

func main() {
	ctx := context.Background()
	weather, err := circuitbreaker.New(circuitbreaker.Config{
		Name:                "weather",
		ConsecutiveFailures: 3,
		OpenFor:             circuitbreaker.Backoff{Base: time.Second, Jitter: -1},
		Probes:              circuitbreaker.Probes{Successes: 1},
	})
	if err != nil {
		panic(err)
	}

	down := true
	forecast := func(context.Context) (string, error) {
		if down {
			return "", errors.New("weather: no answer")
		}
		return "sunny", nil
	}
	for range 4 {
		text, err := circuitbreaker.DoOr(ctx, weather, forecast, yesterdays)
		fmt.Println(text, err, weather.State())
	}

	down = false
	time.Sleep(1100 * time.Millisecond) // longer than the breaker stays open
	text, err := circuitbreaker.DoOr(ctx, weather, forecast, yesterdays)
	fmt.Println(text, err, weather.State())
}

// yesterdays is the fallback: it gets the error, a rejection included.
func yesterdays(_ context.Context, err error) (string, error) {
	if open, ok := errors.AsType[*circuitbreaker.OpenError](err); ok {
		return "probably as yesterday (not asked: " + open.Reason.String() + ")", nil
	}
	return "probably as yesterday", nil
}
