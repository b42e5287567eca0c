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

// crowd is a process that holds the room, one with n callers that wait for it,
// and then a further waiter of the first process.
type crowd struct {
	testing.TB
	admin    *redis.Client
	holder   *lock.Lease
	manager  *lock.Manager // of the callers
	next     <-chan won
	calls    sync.WaitGroup
	outcomes []error
}

// gather makes a crowd on a client of the server; its callers wait until ctx
// ends.
func gather(ctx context.Context, t testing.TB, server *redistest.Server, client *redis.Client, n int) *crowd {
	t.Helper()
	c := &crowd{TB: t, admin: server.Client(t), manager: newManager(t, client, lock.Config{}), outcomes: make([]error, n)}
	m := newManager(t, server.Client(t), lock.Config{TTL: time.Minute})
	c.holder = take(t, m)
	for i := range n {
		c.calls.Go(func() { _, c.outcomes[i] = c.manager.Acquire(ctx, lock.Key(theRoom)) })
	}
	eventually(t, "place for everyone", func() bool { return c.manager.Stats().Waiting == n && places(t, c.admin) == n })
	c.next = queueUp(t, c.admin, m)
	return c
}

// gone waits until the callers have left, and returns what came of each.
func (c *crowd) gone() []error {
	c.calls.Wait()
	return c.outcomes
}

// leavesNothing checks that the room goes to the further waiter within d, and
// that nothing is left of the callers within 5 s.
func (c *crowd) leavesNothing(d time.Duration) {
	c.Helper()
	start := time.Now()
	free(c, c.holder)
	free(c, granted(c, c.next, start, d))
	nothingWaits(c, c.admin, 5*time.Second)
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

func TestAThousandThatGiveUpAtOnceLeaveNothing(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	c := gather(ctx, t, server, server.Client(t), 1000)
	giveUp()
	for _, err := range c.gone() {
		if !errors.Is(err, context.Canceled) || !errors.Is(err, lock.ErrConflict) {
			t.Fatal(err)
		}
	}
	c.leavesNothing(secondsOfGrace)
}

func TestClosingAManagerLeavesNothingOfItsWaiters(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	c := gather(t.Context(), t, server, server.Client(t), 100)
	if err := c.manager.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if n := places(t, c.admin); n != 1 {
		t.Errorf("%d places after Close, want that of the other process", n)
	}
	if list := c.gone(); slices.ContainsFunc(list, func(err error) bool { return !errors.Is(err, lock.ErrClosed) }) {
		t.Errorf("the calls ended with %v, want ErrClosed", list[0])
	}
	c.leavesNothing(secondsOfGrace)
}

// A call that waited in vain on a server that answered ends with the conflict,
// and not with a store that is away.
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
	dead := redis.NewClient(&redis.Options{Addr: server.Addr})
	c := gather(t.Context(), t, server, dead, 100)
	_ = dead.Close() // so that it neither gives up nor confirms
	c.gone()
	c.leavesNothing(3*time.Second + secondsOfGrace)
}
