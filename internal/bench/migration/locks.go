// SPDX-License-Identifier: MIT

package migration

import (
	"context"
	"errors"
	"time"

	bsm "github.com/bsm/redislock"
	"github.com/go-redsync/redsync/v4"
	redsyncgo "github.com/go-redsync/redsync/v4/redis/goredis/v9"
	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
	"github.com/redis/rueidis/rueidislock"

	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/redislock"
)

// guard runs work on a room while no other process does, and waits up to two
// seconds for its turn.
type guard func(ctx context.Context, room string, work func(ctx context.Context) error) error

// errTaken is the end of a wait in vain.
var errTaken = errors.New("the room is taken")

// withRedsync guards rooms on one Redis.
func withRedsync(client redis.UniversalClient) guard {
	locks := redsync.New(redsyncgo.NewPool(client))
	return func(ctx context.Context, room string, work func(ctx context.Context) error) error {
		mutex := locks.NewMutex("lock:"+room, redsync.WithExpiry(8*time.Second))
		wait, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := mutex.LockContext(wait)
		cancel()
		if err != nil {
			return errors.Join(errTaken, err)
		}
		defer mutex.UnlockContext(context.WithoutCancel(ctx))
		return work(ctx) // and call mutex.ExtendContext before 8 s have passed
	}
}

// withBSM is the same with bsm/redislock.
func withBSM(client redis.UniversalClient) guard {
	locks := bsm.New(client)
	return func(ctx context.Context, room string, work func(ctx context.Context) error) error {
		wait, cancel := context.WithTimeout(ctx, 2*time.Second)
		held, err := locks.Obtain(wait, "lock:"+room, 8*time.Second, &bsm.Options{RetryStrategy: bsm.LinearBackoff(20 * time.Millisecond)})
		cancel()
		if err != nil {
			return errors.Join(errTaken, err)
		}
		defer held.Release(context.WithoutCancel(ctx))
		return work(ctx) // and call held.Refresh before 8 s have passed
	}
}

// withRueidislock is the same with rueidislock, which renews.
func withRueidislock(addr string) (g guard, done func(), err error) {
	locks, err := rueidislock.NewLocker(rueidislock.LockerOption{
		ClientOption: rueidis.ClientOption{InitAddress: []string{addr}},
		KeyValidity:  8 * time.Second,
		KeyMajority:  1, // one Redis
	})
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context, room string, work func(ctx context.Context) error) error {
		wait, cancelWait := context.WithTimeout(ctx, 2*time.Second)
		defer cancelWait() // it also ends the lock's context
		held, release, err := locks.WithContext(wait, room)
		if err != nil {
			return errors.Join(errTaken, err)
		}
		defer release()
		return work(held)
	}, locks.Close, nil
}

// withHoldfastLock is the same with holdfast, which renews while work runs.
func withHoldfastLock(client redis.UniversalClient) (g guard, done func(context.Context) error, err error) {
	rooms, err := lock.New(redislock.New(client), lock.Config{Name: "rooms", TTL: 8 * time.Second})
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context, room string, work func(ctx context.Context) error) error {
		err := rooms.Do(ctx, lock.Key(room), func(ctx context.Context, _ *lock.Lease) error { return work(ctx) }, lock.Wait(2*time.Second))
		if errors.Is(err, lock.ErrConflict) {
			return errors.Join(errTaken, err)
		}
		return err
	}, rooms.Close, nil
}

// both is for the change: it takes the lock of holdfast, and inside it that of the peer.
func both(ours, theirs guard) guard {
	return func(ctx context.Context, room string, work func(ctx context.Context) error) error {
		return ours(ctx, room, func(ctx context.Context) error {
			return theirs(ctx, room, work) // when theirs is refused, so is the whole, and ours is released
		})
	}
}
