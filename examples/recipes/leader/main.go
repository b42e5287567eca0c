// SPDX-License-Identifier: MIT

// One of several processes computes the prices. When it stops or dies, the next
// one does.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
)

// lead calls work whenever this process is the leader, until ctx ends. The
// context of work ends when the leadership does; fence rises with each leader, so
// that what work writes can be refused when it comes late.
func lead(ctx context.Context, leaders *lock.Manager, work func(ctx context.Context, fence uint64) error) {
	for ctx.Err() == nil {
		err := leaders.Do(ctx, lock.Key("prices"), func(ctx context.Context, l *lock.Lease) error {
			return work(ctx, l.Fence())
		})
		if err != nil && ctx.Err() == nil {
			log.Print("not leading: ", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second): // after work that fails at once
		}
	}
}

func main() {
	store := memlock.New() // one Redis, with redislock.New(client)
	ctx, stop := context.WithCancel(context.Background())
	var before uint64
	for _, name := range []string{"a", "b"} {
		leaders, err := lock.New(store, lock.Config{Name: "leaders", Holder: name})
		if err != nil {
			log.Fatal(err)
		}
		term, resign := context.WithCancel(ctx)
		lead(term, leaders, func(ctx context.Context, fence uint64) error {
			fmt.Println(name, "leads; the fence has risen:", fence > before)
			before = fence
			resign() // a process is stopped
			return ctx.Err()
		})
		if err := leaders.Close(ctx); err != nil {
			log.Print(err)
		}
	}
	stop()
}
