// SPDX-License-Identifier: MIT

// Three replicas of a service wake up to send the report of a day. One sends it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
)

// report sends the report of a day unless another replica does or has.
func report(ctx context.Context, jobs *lock.Manager, day time.Time, send func(context.Context) error) error {
	run := lock.Key("report/" + day.Format(time.DateOnly)) // the name of this run, not of the job
	err := jobs.TryDo(ctx, run, func(ctx context.Context, _ *lock.Lease) error {
		return send(ctx) // ctx ends when the lease is lost
	}, lock.KeepAtLeast(time.Hour)) // longer than the schedules of the replicas differ
	if errors.Is(err, lock.ErrConflict) {
		return nil
	}
	return err
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	store := memlock.New() // one Redis, with redislock.New(client)
	day := time.Date(2026, time.December, 1, 0, 0, 0, 0, time.UTC)
	var replicas sync.WaitGroup
	for range 3 {
		replicas.Go(func() {
			jobs, err := lock.New(store, lock.Config{Name: "jobs"})
			if err != nil {
				log.Fatal(err)
			}
			defer jobs.Close(ctx)
			err = report(ctx, jobs, day, func(context.Context) error {
				fmt.Println("the report of", day.Format(time.DateOnly), "is sent")
				return nil
			})
			if err != nil {
				log.Print(err)
			}
		})
	}
	replicas.Wait()
}
