// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
)

var talk = session.Conversation{Channel: "sms", Peer: "1"}

// claimed is a call that wants a lease, as a manager makes it.
type claimed struct {
	s     *Store
	l     session.StoreLoad
	turns chan struct{}
}

func newClaimed(s *Store, h session.StoreHandle, lease string) *claimed {
	c := &claimed{s: s, turns: make(chan struct{}, 1)}
	c.l = session.StoreLoad{StoreHandle: h, Lease: lease, LeaseFor: time.Minute, Turn: func() {
		select {
		case c.turns <- struct{}{}:
		default:
		}
	}}
	return c
}

func (c *claimed) asks(t *testing.T, want session.StoreStatus) {
	t.Helper()
	wantStatus(t, answered(t)(c.s.Load(t.Context(), c.l)), want)
}

func (c *claimed) frees(t *testing.T) {
	t.Helper()
	answered(t)(c.s.Load(context.WithoutCancel(t.Context()), session.StoreLoad{StoreHandle: c.l.StoreHandle, Lease: c.l.Lease, Bare: true}))
}

// calledWithin fails the test unless the turn comes in that time.
func (c *claimed) calledWithin(t *testing.T, d time.Duration) {
	t.Helper()
	start := time.Now()
	select {
	case <-c.turns:
	case <-time.After(d):
		t.Fatalf("%s was not called within %v", c.l.Lease, time.Since(start))
	}
}

// heldBy makes a record whose lease anna has, through a store of her own.
func heldBy(t *testing.T, client *redis.Client) *claimed {
	t.Helper()
	w := newWrite("x")
	w.Idle = time.Hour
	anna := newClaimed(New(client), w.StoreHandle, "anna")
	done(t)(anna.s.Create(t.Context(), w))
	anna.asks(t, session.StatusDone)
	return anna
}

// waits is one who waits in a process of its own until the test is over.
func (c *claimed) waits(t *testing.T, client *redis.Client, name string) *claimed {
	t.Helper()
	w := newClaimed(New(client), c.l.StoreHandle, name)
	w.asks(t, session.StatusLeased)
	t.Cleanup(func() { w.frees(t) })
	return w
}

// places waits until so many wait in the only line that there is.
func places(t *testing.T, client *redis.Client, want int64) {
	t.Helper()
	for {
		var n int64
		for _, key := range client.Keys(t.Context(), "*}:w*").Val() {
			n += client.ZCard(t.Context(), key).Val()
		}
		if n == want {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func TestMessagesOfManyProcessesAreHandledInOrderWithThreeScriptsEach(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		const processes, messages = 8, 48
		var managers []*session.Manager[note]
		for range processes {
			managers = append(managers, newManager(t, client, session.Config[note]{}))
		}
		for _, sc := range []*redis.Script{createScript, loadScript, saveScript, pingScript} {
			if err := sc.Load(t.Context(), client).Err(); err != nil {
				t.Fatal(err)
			}
		}
		calls := redistest.NewCounter(func(cmd redis.Cmder) bool {
			args := cmd.Args()
			return args[0] == "evalsha" && args[1] != pingScript.Hash()
		})
		client.AddHook(calls)
		handled, begin := make(chan struct{}), make(chan struct{})
		var order []int
		var wg sync.WaitGroup
		for i := range messages {
			wg.Go(func() {
				err := managers[i%processes].Converse(t.Context(), talk, note{}, func(context.Context, *session.Session[note]) error {
					if i == 0 {
						close(handled)
					}
					<-begin
					order = append(order, i)
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
			if i == 0 {
				<-handled
			}
			places(t, client, int64(i))
		}
		close(begin)
		wg.Wait()
		if !slices.IsSorted(order) || len(order) != messages {
			t.Errorf("handled in order %v", order)
		}
		if n := calls.N(); n > 3*messages {
			t.Errorf("%d messages took %d scripts, want 3 each at most", messages, n)
		}
	})
}

func TestATurnComesWithoutDelay(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *Store, client *redis.Client) {
		anna := heldBy(t, client)
		ben := anna.waits(t, client, "ben")
		time.Sleep(10 * time.Second)
		anna.frees(t)
		ben.calledWithin(t, time.Millisecond)
		ben.asks(t, session.StatusDone)
	})
}

func TestTheLineOfADeletedRecordIsServedWithoutDelay(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, s *Store, client *redis.Client) {
		anna := heldBy(t, client)
		ben := anna.waits(t, client, "ben")
		time.Sleep(10*pulse + pulse/2)
		if _, err := s.Delete(t.Context(), session.StoreRemove{Space: space, Handles: []session.Hash{anna.l.Hash}}); err != nil {
			t.Fatal(err)
		}
		ben.calledWithin(t, time.Millisecond)
	})
}

// Subscribing may be forbidden, or the message lost.
func TestAProcessThatIsDeafAsksEachSecond(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		anna := heldBy(t, client)
		ben := newClaimed(New(client), anna.l.StoreHandle, "ben")
		ben.s.inbox.channel = "another"
		ben.asks(t, session.StatusLeased)
		t.Cleanup(func() { ben.frees(t) })
		anna.frees(t)
		ben.calledWithin(t, 2*pulse)
		ben.asks(t, session.StatusDone)
	})
}

func TestThePlacesOfADeadProcessAreSkipped(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *Store, client *redis.Client) {
		anna := heldBy(t, client)
		for _, name := range []string{"dead", "gone", "lost"} {
			dead := anna.waits(t, client, name)
			dead.s.inbox.mu.Lock()
			dead.s.inbox.waiting[nameLease(name)].placed = false // it does not ping any more
			dead.s.inbox.mu.Unlock()
		}
		ben := anna.waits(t, client, "ben")
		time.Sleep(present + pulse)
		anna.frees(t)
		ben.calledWithin(t, time.Millisecond)
	})
}

func TestATurnThatADeadProcessHasEnds(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *Store, client *redis.Client) {
		anna := heldBy(t, client)
		anna.waits(t, client, "dead")
		ben := anna.waits(t, client, "ben")
		anna.frees(t)
		ben.calledWithin(t, session.StoreTurnTime+pulse)
	})
}

func TestPlacesLastWhileTheirProcessPings(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *Store, client *redis.Client) {
		anna := heldBy(t, client)
		var line []*claimed
		for _, name := range []string{"ben", "carl", "dora"} {
			line = append(line, anna.waits(t, client, name))
		}
		for range 10 {
			time.Sleep(30 * time.Second)
			answered(t)(anna.s.Load(t.Context(), session.StoreLoad{StoreHandle: anna.l.StoreHandle, Lease: "anna", LeaseFor: time.Minute, Held: true, Bare: true}))
		}
		anna.frees(t)
		for _, c := range line {
			c.calledWithin(t, time.Millisecond)
			c.asks(t, session.StatusDone)
			c.frees(t)
		}
	})
}

// All that a server knew is lost in a failover, and so are the places.
func TestWhoLosesThePlaceGetsAnother(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, s *Store, client *redis.Client) {
		anna := heldBy(t, client)
		ben := anna.waits(t, client, "ben")
		client.FlushAll(t.Context())
		ben.calledWithin(t, 2*pulse)
		ben.asks(t, session.StatusMissing)
	})
}

// A server that stops executes afterwards what was sent before, in any order.
func TestATakeThatComesAfterItWasGivenUpTakesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		w := newWrite("x")
		late := newClaimed(New(client), w.StoreHandle, "late")
		done(t)(late.s.Create(t.Context(), w))
		late.frees(t)
		late.asks(t, session.StatusLeased)
		t.Cleanup(func() { late.frees(t) })
		newClaimed(New(client), w.StoreHandle, "ben").asks(t, session.StatusDone)
	})
}

func TestALineLeavesNoKeysBehind(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *Store, client *redis.Client) {
		anna := heldBy(t, client)
		ben := anna.waits(t, client, "ben")
		ben.frees(t)
		anna.frees(t)
		time.Sleep(time.Minute)
		if keys := keysLeft(t, client); len(keys) != 2 {
			t.Errorf("the server has %q, want the record and its index", keys)
		}
	})
}

func TestAnInboxIsClosedWhenNoneWaits(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *Store, client *redis.Client) {
		anna := heldBy(t, client)
		ben := anna.waits(t, client, "ben")
		time.Sleep(time.Minute)
		if ben.s.inbox.feed.Channel() == "" {
			t.Error("the inbox is closed though one waits")
		}
		ben.frees(t)
		time.Sleep(time.Minute)
		if ben.s.inbox.feed.Channel() != "" || len(ben.s.inbox.waiting) > 0 {
			t.Error("the inbox is open though none waits")
		}
	})
}

// Each waiter asks, and gets the error of that.
func TestWhoWaitsForAServerThatIsGoneLearnsOfIt(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *Store, client *redis.Client) {
		line := &deadLine{}
		client.AddHook(line) // before a goroutine uses the client
		anna := heldBy(t, client)
		ben := anna.waits(t, client, "ben")
		line.dead.Store(true)
		ben.calledWithin(t, present+2*pulse)
		line.dead.Store(false)
	})
}

// deadLine fails every call while it is dead.
type deadLine struct{ dead atomic.Bool }

func (*deadLine) DialHook(next redis.DialHook) redis.DialHook { return next }

func (d *deadLine) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if d.dead.Load() {
			return io.ErrUnexpectedEOF
		}
		return next(ctx, cmd)
	}
}

func (d *deadLine) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if d.dead.Load() {
			return io.ErrUnexpectedEOF
		}
		return next(ctx, cmds)
	}
}

func TestManyWaitersArePingedInParts(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *Store, client *redis.Client) {
		anna := heldBy(t, client)
		s := New(client)
		var line []*claimed
		for i := range 3*pingSize + 5 {
			c := newClaimed(s, anna.l.StoreHandle, fmt.Sprint("waiter", i))
			c.asks(t, session.StatusLeased)
			t.Cleanup(func() { c.frees(t) })
			line = append(line, c)
		}
		time.Sleep(time.Minute - time.Millisecond)
		for _, c := range line {
			if len(c.turns) > 0 {
				t.Fatal("a waiter was called before its turn")
			}
		}
		anna.frees(t)
		for _, c := range line {
			c.calledWithin(t, time.Millisecond)
			c.frees(t)
		}
	})
}

func TestWaitingNeedsNoRightToSubscribeOrPublish(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	if err := server.Client(t).Do(t.Context(), "ACL", "SETUSER", "clerk", "on", ">x", "~*", "resetchannels", "+@all").Err(); err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: server.Addr, Username: "clerk", Password: "x", ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	anna := heldBy(t, client)
	ben := anna.waits(t, client, "ben")
	anna.frees(t)
	ben.calledWithin(t, 2*pulse)
	ben.asks(t, session.StatusDone)
}
