// SPDX-License-Identifier: MIT

// Two guests want the same room. The nights decide: only one can have those
// that overlap, and the day of departure is free for the next arrival.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
)

func main() {
	ctx := context.Background()
	// redislock.New(client) instead of memlock.New() locks across processes.
	rooms, err := lock.New(memlock.New(), lock.Config{Name: "rooms", MaxExtensions: 1})
	if err != nil {
		panic(err)
	}
	defer rooms.Close(ctx)

	try := func(guest string, from, to int) *lock.Lease {
		lease, err := rooms.TryAcquire(ctx, lock.Nights("room/101", december(from), december(to)), lock.Holder(guest))
		if conflict, ok := errors.AsType[*lock.ConflictError](err); ok {
			if first, ok := conflict.First(); ok {
				fmt.Println(guest, "is refused: taken is", first.Hold.Resource)
			}
		} else if err != nil {
			fmt.Println(guest, "gets an error:", err)
		} else {
			fmt.Println(guest, "has", lease.Resource())
		}
		return lease
	}
	ana := try("ana", 12, 15)
	try("ben", 14, 16)
	try("ben", 15, 16)

	fmt.Println("extended:", ana.Extend(ctx, time.Minute) == nil)
	fmt.Println("again:", errors.Is(ana.Extend(ctx, time.Minute), lock.ErrMaxReached))
	fmt.Println("released:", ana.Release(ctx) == nil)
	try("cleo", 12, 15)

	// Do keeps the lease alive while the function runs, and ends its context
	// when the lease is lost.
	err = rooms.Do(ctx, lock.Key("room/102"), func(ctx context.Context, l *lock.Lease) error {
		return ctx.Err()
	})
	fmt.Println("cleaned:", err)
}

func december(day int) time.Time { return time.Date(2026, time.December, day, 0, 0, 0, 0, time.UTC) }
