// SPDX-License-Identifier: MIT

package lockfaults

import (
	"context"
	"errors"
	"testing"
	"time"

	bsm "github.com/bsm/redislock"
	"github.com/go-redsync/redsync/v4"
	redsyncgo "github.com/go-redsync/redsync/v4/redis/goredis/v9"
	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
	"github.com/redis/rueidis/rueidislock"

	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/redislock"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

const ttl = time.Second

// locker is one process that uses a library, on the server at addr.
type locker struct {
	// take waits for the one lock that there is; life ends when the library
	// knows that it is lost, and is nil when it never reports that.
	take func(ctx context.Context) (life context.Context, release func(), err error)

	// try asks once.
	try func(ctx context.Context) (release func(), err error)
}

type library struct {
	name    string
	reports bool // has a context that ends with the lock
	open    func(t testing.TB, addr string) locker
}

var libraries = []library{
	{"holdfast", true, openHoldfast},
	{"rueidislock", true, openRueidislock},
	{"redsync", false, openRedsync},
	{"bsm/redislock", false, openBSM},
}

func goRedis(t testing.TB, addr string) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func openHoldfast(t testing.TB, addr string) locker {
	m, err := lock.New(redislock.New(goRedis(t, addr)), lock.Config{Name: "peers", TTL: ttl})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Not the test's own, which has ended; a cut-off server costs a second.
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = m.Close(ctx)
	})
	room := lock.Key("room")
	return locker{
		take: func(ctx context.Context) (context.Context, func(), error) {
			l, err := m.Acquire(ctx, room, lock.AutoRenew())
			if err != nil {
				return nil, nil, err
			}
			return l.Context(ctx), func() { _ = l.Release(ctx) }, nil
		},
		try: func(ctx context.Context) (func(), error) {
			l, err := m.TryAcquire(ctx, room)
			return func() { _ = l.Release(ctx) }, err
		},
	}
}

func openRueidislock(t testing.TB, addr string) locker {
	l, err := rueidislock.NewLocker(rueidislock.LockerOption{
		ClientOption: rueidis.ClientOption{InitAddress: []string{addr}},
		KeyValidity:  ttl, KeyMajority: 1, // one Redis
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return locker{
		take: func(ctx context.Context) (context.Context, func(), error) {
			life, release, err := l.WithContext(ctx, "room")
			return life, func() { release() }, err
		},
		try: func(ctx context.Context) (func(), error) {
			_, release, err := l.TryWithContext(ctx, "room")
			return func() { release() }, err
		},
	}
}

func openRedsync(t testing.TB, addr string) locker {
	r := redsync.New(redsyncgo.NewPool(goRedis(t, addr)))
	take := func(ctx context.Context) (context.Context, func(), error) {
		for {
			m := r.NewMutex("room", redsync.WithExpiry(ttl))
			err := m.LockContext(ctx) // gives up after 32 tries
			if err == nil || ctx.Err() != nil {
				return nil, func() { _, _ = m.UnlockContext(ctx) }, err
			}
		}
	}
	return locker{
		take: take,
		try: func(ctx context.Context) (func(), error) {
			m := r.NewMutex("room", redsync.WithExpiry(ttl))
			return func() { _, _ = m.UnlockContext(ctx) }, m.TryLockContext(ctx)
		},
	}
}

func openBSM(t testing.TB, addr string) locker {
	c := bsm.New(goRedis(t, addr))
	obtain := func(ctx context.Context, opt *bsm.Options) (func(), error) {
		l, err := c.Obtain(ctx, "room", ttl, opt)
		return func() { _ = l.Release(ctx) }, err
	}
	return locker{
		take: func(ctx context.Context) (context.Context, func(), error) {
			for {
				// As its README has it, again until ctx ends.
				release, err := obtain(ctx, &bsm.Options{RetryStrategy: bsm.LinearBackoff(100 * time.Millisecond)})
				if !errors.Is(err, bsm.ErrNotObtained) || ctx.Err() != nil {
					return nil, release, err
				}
			}
		},
		try: func(ctx context.Context) (func(), error) { return obtain(ctx, nil) },
	}
}
