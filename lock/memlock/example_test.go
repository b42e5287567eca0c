// SPDX-License-Identifier: MIT

package memlock_test

import (
	"context"
	"fmt"
	"log"

	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
)

func Example() {
	ctx := context.Background()
	rooms, err := lock.New(memlock.New(), lock.Config{Name: "rooms"})
	if err != nil {
		log.Fatal(err)
	}
	defer rooms.Close(ctx) // releases what is held

	lease, err := rooms.TryAcquire(ctx, lock.Key("room/101"))
	fmt.Println(lease.Resource(), err)
	// Output: room/101 <nil>
}
