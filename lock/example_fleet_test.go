// SPDX-License-Identifier: MIT

package lock_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
)

// Three replicas start the same job. One runs it. KeepAtLeast keeps the others
// out even if they start when the first has finished.
func ExampleManager_TryDo_onceInAFleet() {
	ctx := context.Background()
	store := memlock.New() // one Redis, with redislock.New(client)
	for _, replica := range []string{"a", "b", "c"} {
		jobs, err := lock.New(store, lock.Config{Name: "jobs", Holder: replica})
		if err != nil {
			fmt.Println(err)
			return
		}
		defer jobs.Close(ctx)
		err = jobs.TryDo(ctx, lock.Key("report/2026-12-01"), func(context.Context, *lock.Lease) error {
			fmt.Println("report sent by", replica)
			return nil
		}, lock.KeepAtLeast(time.Hour))
		if errors.Is(err, lock.ErrConflict) {
			continue // another replica sends it, or has sent it
		}
		if err != nil {
			fmt.Println(err)
		}
	}
	// Output: report sent by a
}

// One of several processes leads until it stops or fails; then the next one
// does. Anyone can see who leads, without a place in the queue.
func ExampleManager_Do_leaderElection() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	processes, err := lock.New(memlock.New(), lock.Config{Name: "leaders"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer processes.Close(ctx)

	err = processes.Do(ctx, lock.Key("pricing"), func(ctx context.Context, l *lock.Lease) error {
		for hold, err := range processes.Holds(ctx, lock.Key("pricing")) {
			if err != nil {
				return err
			}
			fmt.Println("leader:", hold.Holder, "of", hold.Resource)
		}
		// Lead until ctx ends: it does when the lease is lost, and then another
		// process leads. What this one sends carries l.Fence().
		return ctx.Err()
	}, lock.Holder("process 1"))
	fmt.Println("stepped down:", err)
	// Output:
	// leader: process 1 of pricing
	// stepped down: <nil>
}

// Readers share a name, a writer has it alone.
func ExampleResource_Shared() {
	ctx := context.Background()
	rates, err := lock.New(memlock.New(), lock.Config{Name: "rates"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rates.Close(ctx)
	for range 2 {
		_, err := rates.TryAcquire(ctx, lock.Key("winter").Shared())
		fmt.Println("read:", err)
	}
	_, err = rates.TryAcquire(ctx, lock.Key("winter"))
	fmt.Println("write:", errors.Is(err, lock.ErrConflict))
	// Output:
	// read: <nil>
	// read: <nil>
	// write: true
}
