// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
)

// crowd has n callers of m wait for the room until ctx ends, and returns what
// came of each when none waits any more.
func crowd(ctx context.Context, t testing.TB, admin *redis.Client, m *lock.Manager, n int) (errs func() []error) {
	t.Helper()
	list := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			_, list[i] = m.Acquire(ctx, lock.Key(theRoom))
		})
	}
	eventually(t, "place for everyone", func() bool { return m.Stats().Waiting == n && places(t, admin) == n })
	return func() []error {
		all.Wait()
		return list
	}
}

// nothingWaits checks that the server knows of no waiter within d.
func nothingWaits(t testing.TB, admin *redis.Client, d time.Duration) {
	t.Helper()
	var left []string
	for end := time.Now().Add(d); ; pause(t.Context(), 20*time.Millisecond) {
		left = admin.Keys(context.Background(), "*}:q").Val()
		for _, ledger := range admin.Keys(context.Background(), "*}:l").Val() {
			for _, field := range admin.HKeys(context.Background(), ledger).Val() {
				if strings.HasPrefix(field, "?") || strings.HasPrefix(field, "+") || field == "#more" {
					left = append(left, field)
				}
			}
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d keys and fields are left: %q", len(left), left[:min(len(left), 5)])
		}
	}
}

func TestAThousandWhoGiveUpAtOnceLeaveNothing(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	admin := server.Client(t)
	holder := newManager(t, server.Client(t), lock.Config{TTL: time.Minute})
	first := take(t, holder)
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	errs := crowd(ctx, t, admin, newManager(t, server.Client(t), lock.Config{}), 1000)
	next := queueUp(t, admin, holder)
	giveUp()
	for _, err := range errs() {
		if !errors.Is(err, context.Canceled) || !errors.Is(err, lock.ErrConflict) {
			t.Fatal(err)
		}
	}
	start := time.Now()
	free(t, first)
	free(t, granted(t, next, start, secondsOfGrace)) // behind a thousand
	nothingWaits(t, admin, 5*time.Second)
}

func TestClosingAManagerLeavesNothingOfThoseWhoWait(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	admin := server.Client(t)
	holder := newManager(t, server.Client(t), lock.Config{TTL: time.Minute})
	first := take(t, holder)
	m := newManager(t, server.Client(t), lock.Config{})
	errs := crowd(t.Context(), t, admin, m, 100)
	next := queueUp(t, admin, holder)
	if err := m.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if n := places(t, admin); n != 1 {
		t.Errorf("%d places after Close, want that of the other process", n)
	}
	if list := errs(); slices.ContainsFunc(list, func(err error) bool { return !errors.Is(err, lock.ErrClosed) }) {
		t.Errorf("the calls ended with %v, want ErrClosed", list[0])
	}
	start := time.Now()
	free(t, first)
	free(t, granted(t, next, start, secondsOfGrace))
	nothingWaits(t, admin, time.Second)
}

// Whoever waited in vain on a server that answered is told of the conflict, not
// of a store that is away.
func TestTwoHundredTimeoutsAreTwoHundredConflicts(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	take(t, newManager(t, server.Client(t), lock.Config{TTL: time.Minute})).Detach()
	m := newManager(t, server.Client(t), lock.Config{})
	var all sync.WaitGroup
	var wrong atomic.Int64
	for i := range 200 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second+time.Duration(i)*time.Millisecond)
			defer cancel()
			_, err := m.Acquire(ctx, lock.Key(theRoom))
			if !errors.Is(err, lock.ErrConflict) || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, lock.ErrUnavailable) {
				wrong.Add(1)
				t.Log(err)
			}
		})
	}
	all.Wait()
	if n := wrong.Load(); n > 0 {
		t.Errorf("%d of 200 ended otherwise", n)
	}
	nothingWaits(t, server.Client(t), 5*time.Second)
}

// A process that died while a hundred of its callers waited costs the next one
// three seconds once.
func TestADeadProcessOfAHundredWaitersCostsItsSuccessorsOnce(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	admin := server.Client(t)
	m := newManager(t, server.Client(t), lock.Config{TTL: time.Minute})
	first := take(t, m)
	dead := redis.NewClient(&redis.Options{Addr: server.Addr})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	errs := crowd(ctx, t, admin, newManager(t, dead, lock.Config{}), 100)
	_ = dead.Close() // so that it neither gives up nor confirms
	errs()
	next := queueUp(t, admin, m)
	start := time.Now()
	free(t, first)
	free(t, granted(t, next, start, 3*time.Second+secondsOfGrace))
	nothingWaits(t, admin, 5*time.Second)
}
