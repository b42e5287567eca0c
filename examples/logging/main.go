// SPDX-License-Identifier: MIT

// Without Prometheus, one small type can observe everything and log what
// people want to know of: what went wrong, and every change of a breaker.
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
)

func main() {
	ctx := context.Background()
	watch := observer{slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: withoutTime}))}

	pms, err := circuitbreaker.New(circuitbreaker.Config{Name: "pms", ConsecutiveFailures: 1, Observer: watch})
	check(err)
	rooms, err := lock.New(memlock.New(), lock.Config{Name: "rooms", MaxExtensions: 1, Observer: watch})
	check(err)
	defer rooms.Close(ctx)

	_ = pms.Do(ctx, func(context.Context) error { return errors.New("no answer") })
	lease, err := rooms.TryAcquire(ctx, lock.Key("room/101"), lock.Holder("ana"))
	check(err)
	check(lease.Extend(ctx, 0))
	_ = lease.Extend(ctx, 0) // one too many
	check(lease.Release(ctx))
}

// withoutTime makes the lines the same each time.
func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
