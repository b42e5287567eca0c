// SPDX-License-Identifier: MIT

package lockbench

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	bsm "github.com/bsm/redislock"
	"github.com/go-redsync/redsync/v4"
	"github.com/go-redsync/redsync/v4/redis/goredis/v9"
	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/redislock"
)

// ttl is that of all locks, longer than anything here takes.
const ttl = 30 * time.Second

// A locker takes and gives back a lock of that name, once.
type locker func(ctx context.Context, name string) error

var (
	setNX = redis.NewScript(`if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
return 0`)
	compareAndDelete = redis.NewScript(`if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`)
)

var errTaken = errors.New("floor: another holder's")

// floor is the least that a lock in Redis is: two scripts and a random token,
// nothing said about who holds, no fence, no way to wait.
func floor(client redis.UniversalClient) locker {
	return func(ctx context.Context, name string) error {
		token, keys := rand.Text(), []string{"floor:" + name}
		if set, err := setNX.Run(ctx, client, keys, token, ttl.Milliseconds()).Bool(); err != nil || !set {
			return errors.Join(errTaken, err)
		}
		if deleted, err := compareAndDelete.Run(ctx, client, keys, token).Bool(); err != nil || !deleted {
			return errors.Join(errTaken, err)
		}
		return nil
	}
}

// holdfast takes what resource makes of the name.
func holdfast(client redis.UniversalClient, resource func(string) lock.Resource) locker {
	return pairs(manager(client, nil), resource)
}

// apart is holdfast with a group for each name, idle between two holds.
func apart(client redis.UniversalClient) locker {
	return pairs(manager(client, func(name string) string { return name }), lock.Key)
}

func pairs(m *lock.Manager, resource func(string) lock.Resource) locker {
	return func(ctx context.Context, name string) error {
		l, err := m.TryAcquire(ctx, resource(name))
		if err != nil {
			return err
		}
		return l.Release(ctx)
	}
}

// manager is one of a process, closed with it; a nil group is one for all names.
func manager(client redis.UniversalClient, group func(name string) string) *lock.Manager {
	m, err := lock.New(redislock.New(client), lock.Config{Name: "bench", TTL: ttl, GroupBy: group})
	if err != nil {
		panic(err) // the configuration is above
	}
	return m
}

var arrival = time.Date(2026, 12, 12, 0, 0, 0, 0, time.UTC)

func nights(name string) lock.Resource {
	return lock.Nights(name, arrival, arrival.AddDate(0, 0, 3))
}

// bsmRedislock tries again after each backoff, or not at all where that is 0, and
// holds the lock for a while.
func bsmRedislock(client redis.UniversalClient, backoff, hold time.Duration) locker {
	c := bsm.New(client)
	return func(ctx context.Context, name string) error {
		l, err := c.Obtain(ctx, "bsm:"+name, ttl, &bsm.Options{RetryStrategy: bsm.LinearBackoff(backoff)})
		if err != nil {
			return err
		}
		time.Sleep(hold)                             // it is what holding takes
		return l.Release(context.WithoutCancel(ctx)) // which holdfast does by itself
	}
}

// redsyncs tries so often, with a back-off of 50 to 250 ms.
func redsyncs(client redis.UniversalClient, tries int) locker {
	r := redsync.New(goredis.NewPool(client))
	return func(ctx context.Context, name string) error {
		m := r.NewMutex("redsync:"+name, redsync.WithExpiry(ttl), redsync.WithTries(tries))
		if err := m.LockContext(ctx); err != nil {
			return err
		}
		_, err := m.UnlockContext(ctx)
		return err
	}
}
