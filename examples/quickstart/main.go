// SPDX-License-Identifier: MIT

// Quickstart is the program of the README.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
)

func main() {
	ctx := context.Background()
	rooms, err := lock.New(memlock.New(), lock.Config{Name: "rooms"}) // or redislock.New(client)
	if err != nil {
		log.Fatal(err)
	}
	night := func(day int) time.Time { return time.Date(2026, 12, day, 0, 0, 0, 0, time.UTC) }

	ana, err := rooms.TryAcquire(ctx, lock.Nights("room/101", night(12), night(15)), lock.Holder("ana"))
	if err != nil {
		log.Fatal(err)
	}
	defer ana.Release(ctx)

	_, err = rooms.TryAcquire(ctx, lock.Nights("room/101", night(14), night(16)), lock.Holder("ben"))
	if conflict, ok := errors.AsType[*lock.ConflictError](err); ok {
		if first, ok := conflict.First(); ok {
			fmt.Printf("%s is taken by %s\n", first.Hold.Resource, first.Hold.Holder)
		}
	}

	_, err = rooms.TryAcquire(ctx, lock.Nights("room/101", night(15), night(16)), lock.Holder("ben"))
	fmt.Println("from the departure day on:", err)
}
