// SPDX-License-Identifier: MIT

package redislock

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/rediscall"
	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
)

// insist tries a claim until it is granted.
func insist(ctx context.Context, s lock.Store, c lock.StoreClaim) error {
	c.Queue = true
	for {
		g, err := s.Acquire(ctx, c)
		if err != nil || g.Status == lock.StatusGranted {
			return err
		}
		if g, err = s.Wait(ctx, c, g); err != nil || g.Status == lock.StatusGranted {
			return err
		}
	}
}

// queue starts to wait for a claim and returns once it has a place.
func (r *rig) queue(s lock.Store, c lock.StoreClaim) <-chan error {
	r.Helper()
	before := r.client.ZCard(r.Context(), r.keys("rooms", "hotel")[4]).Val()
	done := make(chan error, 1)
	go func() { done <- insist(r.Context(), s, c) }()
	for range 1000 {
		if r.client.ZCard(r.Context(), r.keys("rooms", "hotel")[4]).Val() > before {
			return done
		}
		time.Sleep(5 * time.Millisecond) // until another goroutine's command has arrived
	}
	r.Fatal("the claim does not queue up")
	return nil
}

func TestAWaiterIsWokenByTheReleaseAtOnce(t *testing.T) {
	virtual(t, func(r *rig) {
		for _, free := range []func(lock.StoreClaim){
			func(c lock.StoreClaim) { r.release(c.StoreTicket) },
			func(c lock.StoreClaim) { c.Force = true; r.release(c.StoreTicket) },
		} {
			c, _ := r.take(lock.All(lock.Span("room", 1, 5), lock.Key("hall")), time.Hour)
			next := r.claim(lock.Span("room", 4, 9), time.Hour)
			done := r.queue(r.Store, next)
			time.Sleep(300 * time.Millisecond) // between two of its own tries
			start := time.Now()
			free(c)
			if err := <-done; err != nil || time.Since(start) != 0 {
				t.Errorf("granted after %s, %v, want at once", time.Since(start), err)
			}
			r.release(next.StoreTicket)
		}
	})
}

func TestAWaiterIsWokenBySweepAndByTheEndOfAHold(t *testing.T) {
	virtual(t, func(r *rig) {
		c, _ := r.take(lock.Key("room"), 400*time.Millisecond)
		done := r.queue(r.Store, r.claim(lock.Key("room"), time.Hour))
		start := time.Now()
		if err := <-done; err != nil || time.Since(start) > c.TTL {
			t.Errorf("granted %s after it was blocked by a hold of %s, %v", time.Since(start), c.TTL, err)
		}
	})
}

func TestAGrantWakesThoseWhoWaitedOnlyForTheirTurn(t *testing.T) {
	virtual(t, func(r *rig) {
		c, _ := r.take(lock.Key("room"), time.Hour)
		wide := r.claim(lock.All(lock.Key("room"), lock.Span("hall", 1, 3)), time.Hour)
		wide.Capacity = []int{2, 1}
		first := r.queue(r.Store, wide)
		small := r.claim(lock.Span("hall", 2, 3), time.Hour)
		small.Capacity = []int{2}
		second := r.queue(r.Store, small)
		time.Sleep(300 * time.Millisecond)
		start := time.Now()
		r.release(c.StoreTicket)
		if err := <-first; err != nil {
			t.Fatal(err)
		}
		if err := <-second; err != nil || time.Since(start) != 0 {
			t.Errorf("the second was granted after %s, %v, want at once", time.Since(start), err)
		}
	})
}

// A process that died has no subscription any more.
func TestADeadProcessIsSkippedAtOnce(t *testing.T) {
	everywhere(t, func(r *rig) {
		c, _ := r.take(lock.Key("room"), time.Hour)
		dead, gone := r.claim(lock.Key("room"), time.Hour), New(r.client)
		ctx, cancel := context.WithCancel(r.Context())
		left := make(chan error, 1)
		go func() { left <- insist(ctx, gone, dead) }()
		for r.client.ZCard(r.Context(), r.keys("rooms", "hotel")[4]).Val() == 0 {
			time.Sleep(5 * time.Millisecond) // until another goroutine's command has arrived
		}
		cancel() // without giving up
		<-left
		_ = gone.inbox.feed.PubSub().Close()
		done := r.queue(r.Store, r.claim(lock.Key("room"), time.Hour))
		start := time.Now()
		r.release(c.StoreTicket)
		if err := <-done; err != nil || time.Since(start) > time.Second {
			r.Errorf("granted after %s, %v, want at once", time.Since(start), err)
		}
	})
}

func TestALostMessageCostsASecond(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Real(t).Client(t))
	c, _ := r.take(lock.Key("room"), time.Hour)
	done := r.queue(r.Store, r.claim(lock.Key("room"), time.Hour))
	r.inbox.mu.Lock()
	waiting := r.inbox.waiting
	r.inbox.waiting = map[string]*waiter{} // no one is found
	r.inbox.mu.Unlock()
	start := time.Now()
	_, _ = New(r.client).Release(t.Context(), []lock.StoreTicket{c.StoreTicket})
	time.Sleep(50 * time.Millisecond) // until the message has come in
	r.inbox.mu.Lock()
	r.inbox.waiting = waiting
	r.inbox.mu.Unlock()
	if err := <-done; err != nil || time.Since(start) > 2*pulse {
		t.Errorf("granted after %s, %v, want within %s", time.Since(start), err, pulse)
	}
}

func TestTheInboxSurvivesALostConnection(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Real(t).Client(t))
	for round := range 3 {
		c, _ := r.take(lock.Key("room"), time.Hour)
		next := r.claim(lock.Key("room"), time.Hour)
		done := r.queue(r.Store, next)
		r.client.Do(t.Context(), "CLIENT", "KILL", "TYPE", "pubsub")
		r.release(c.StoreTicket)
		start := time.Now()
		if err := <-done; err != nil || time.Since(start) > 2*pulse {
			t.Errorf("round %d: granted after %s, %v, want within %s", round, time.Since(start), err, pulse)
		}
		r.release(next.StoreTicket)
	}
}

func TestTheInboxIsClosedAfterAWhile(t *testing.T) {
	virtual(t, func(r *rig) {
		c, _ := r.take(lock.Key("room"), time.Hour)
		next := r.claim(lock.Key("room"), time.Hour)
		done := r.queue(r.Store, next)
		r.release(c.StoreTicket)
		<-done
		r.extend(lock.StoreRenewal{StoreTicket: next.StoreTicket, TTL: time.Hour, Confirm: true})
		if n := len(r.client.PubSubChannels(r.Context(), "*").Val()); n != 1 {
			t.Errorf("%d channels, want the inbox", n)
		}
		time.Sleep(rediscall.Linger + time.Millisecond)
		if n := len(r.client.PubSubChannels(r.Context(), "*").Val()); n != 0 {
			t.Errorf("%d channels are still subscribed to", n)
		}
		r.release(next.StoreTicket)
		if left := r.keysLeft(); left != "lx" && left != "l" {
			t.Errorf("keys %q left, want nothing of the queue", left)
		}
		if fields := r.client.HKeys(r.Context(), r.keys("rooms", "hotel")[1]).Val(); len(fields) > 4 {
			t.Errorf("fields %q left in the ledger, want the fence, the last turn and two times", fields)
		}
	})
}

// commands returns how many commands clients have sent, scripts' own not
// counted.
func commands(t *testing.T, client *redis.Client) (n int) {
	for line := range strings.Lines(client.Info(t.Context(), "commandstats").Val()) {
		var calls int
		name, rest, _ := strings.Cut(line, ":")
		if _, err := fmt.Sscanf(rest, "calls=%d", &calls); err == nil && strings.HasPrefix(name, "cmdstat_eval") {
			n += calls
		}
	}
	return n
}

func TestManyWaitersTakeThreeCommandsATurn(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	client := server.Client(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	const processes, waiters, turns = 4, 8, 12
	var inside, most int
	var mu sync.Mutex
	var all sync.WaitGroup
	for range processes {
		m, err := lock.New(New(server.Client(t)), lock.Config{Name: "rooms"})
		if err != nil {
			t.Fatal(err)
		}
		for range waiters {
			all.Go(func() {
				for range turns {
					l, err := m.Acquire(ctx, lock.Key("room"))
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					inside++
					most = max(most, inside)
					mu.Unlock()
					mu.Lock()
					inside--
					mu.Unlock()
					if err := l.Release(ctx); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	start := time.Now()
	all.Wait()
	per := float64(commands(t, client)) / (processes * waiters * turns)
	t.Logf("%.2f commands a turn, %.0f turns a second", per, processes*waiters*turns/time.Since(start).Seconds())
	if most != 1 || per > 3.5 {
		t.Errorf("%d held it at once, %.2f commands a turn, want 1 and at most 3.5", most, per)
	}
}
