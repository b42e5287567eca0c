// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/redislock"
)

func bookRoom(ctx context.Context, client *redis.Client) error {
	rooms, err := lock.New(redislock.New(client), lock.Config{Name: "rooms"})
	if err != nil {
		return err
	}
	return rooms.TryDo(ctx, lock.Nights("room/101", december(12), december(15)), func(ctx context.Context, _ *lock.Lease) error {
		_, err := rooms.TryAcquire(ctx, lock.Nights("room/101", december(14), december(16)), lock.Holder("ben"))
		if conflict, ok := errors.AsType[*lock.ConflictError](err); ok {
			for _, c := range conflict.Conflicts {
				fmt.Println(c.Hold.Resource, "is held by", c.Hold.Holder)
			}
		}
		return nil // ctx ends with the lease, which is renewed until then
	}, lock.Holder("ana"))
}

func december(day int) time.Time { return time.Date(2026, time.December, day, 0, 0, 0, 0, time.UTC) }
