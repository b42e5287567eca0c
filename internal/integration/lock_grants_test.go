// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/faultproxy"
	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/internal/test/testproc"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/redislock"
)

// These tests are about grants that the release of one holder makes to the next.

const (
	secondsOfGrace = 2 * time.Second                  // a loaded machine's
	afterALoss     = time.Second + secondsOfGrace     // until a ping reports a grant
	afterALapse    = lock.StoreTrialTime + afterALoss // until the next one has it
	theRoom        = "room"                           // what everyone wants
	atMost         = 30 * time.Second                 // of a test that went wrong
)

func TestAGrantThatGetsLostCostsASecond(t *testing.T) {
	for name, lose := range map[string]func(*redis.Client, *faultproxy.Proxy){
		"the subscription is killed": func(admin *redis.Client, _ *faultproxy.Proxy) {
			admin.ClientKillByFilter(context.Background(), "TYPE", "pubsub")
		},
		"the connection is cut": func(_ *redis.Client, p *faultproxy.Proxy) {
			for _, c := range subscriptions(p) {
				c.Cut()
			}
		},
		"messages do not come": func(_ *redis.Client, p *faultproxy.Proxy) {
			for _, c := range subscriptions(p) {
				c.Hold(faultproxy.Replies)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Real(t)
			admin, network := server.Client(t), faultproxy.Start(t, server.Addr)
			first := take(t, newManager(t, server.Client(t), lock.Config{}))
			done := queueUp(t, admin, newManager(t, through(t, network), lock.Config{}))
			if len(subscriptions(network)) != 1 {
				t.Fatal("no subscription to lose")
			}
			lose(admin, network)
			start := time.Now()
			free(t, first)
			free(t, granted(t, done, start, afterALoss))
		})
	}
}

// Nothing reaches the first in line before its grant has lapsed. What comes
// then is not believed.
func TestAGrantThatComesTooLateGoesToTheNext(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	admin, network := server.Client(t), faultproxy.Start(t, server.Addr)
	holder := newManager(t, server.Client(t), lock.Config{})
	first := take(t, holder)
	late := queueUp(t, admin, newManager(t, through(t, network), lock.Config{}))
	next := queueUp(t, admin, holder)
	network.Hold(faultproxy.Replies)
	start := time.Now()
	free(t, first)
	second := granted(t, next, start, afterALapse)
	network.Pass(faultproxy.Both)
	select {
	case w := <-late:
		t.Fatalf("the first in line believes beside the second: %v, %v", w.Lease, w.err)
	case <-time.After(time.Second):
	}
	if err := second.Check(t.Context()); err != nil {
		t.Error(err)
	}
	start = time.Now()
	free(t, second)
	third := granted(t, late, start, secondsOfGrace)
	if third.Fence() <= second.Fence() {
		t.Errorf("fence %d after %d", third.Fence(), second.Fence())
	}
	free(t, third)
}

func TestAGrantThatComesTwiceIsOne(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	admin := server.Client(t)
	doubled := echo(t, admin, 0, 100*time.Millisecond)
	var managers []*lock.Manager
	for range 3 {
		managers = append(managers, newManager(t, server.Client(t), lock.Config{TTL: 3 * time.Second}))
	}
	l := take(t, managers[0])
	for i := range 30 {
		done := queueUp(t, admin, managers[i%3], lock.AutoRenew())
		free(t, l)
		next := granted(t, done, time.Now(), secondsOfGrace)
		if next.Fence() <= l.Fence() {
			t.Errorf("fence %d after %d", next.Fence(), l.Fence())
		}
		l = next
	}
	pause(t.Context(), time.Second) // in which the last messages come again
	if err := l.Check(t.Context()); err != nil || doubled.Load() < 30 {
		t.Errorf("%v, after %d messages that came twice", err, doubled.Load())
	}
	free(t, l)
}

// echo sends each message to an inbox again, after some times.
func echo(t testing.TB, client *redis.Client, after ...time.Duration) (doubled *atomic.Int64) {
	sub := client.PSubscribe(t.Context(), "holdfast:inbox:*")
	if _, err := sub.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sub.Close() })
	doubled = new(atomic.Int64)
	messages := sub.Channel()
	go func() {
		own := make(map[string]int)
		for m := range messages {
			if own[m.Payload] > 0 {
				own[m.Payload]--
				continue
			}
			own[m.Payload] = len(after)
			doubled.Add(1)
			for _, d := range after {
				time.AfterFunc(d, func() { client.Publish(context.Background(), m.Channel, m.Payload) })
			}
		}
	}()
	return doubled
}

// What happens to the process that is the first in line, and when the second
// has the room.
func TestAGrantToAProcessThatIsNotThereGoesToTheNext(t *testing.T) {
	for name, c := range map[string]struct {
		harm   func(*testproc.Child)
		within time.Duration
	}{
		"dead":    {(*testproc.Child).Kill, secondsOfGrace},
		"stopped": {(*testproc.Child).Suspend, afterALapse},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Real(t)
			admin := server.Client(t)
			m := newManager(t, server.Client(t), lock.Config{})
			first := take(t, m)
			child, result := startWaiter(t, server.Addr)
			eventually(t, "place of the process", func() bool { return places(t, admin) == 1 })
			next := queueUp(t, admin, m)
			c.harm(child)
			start := time.Now()
			free(t, first)
			second := granted(t, next, start, c.within)
			from := now()
			if name == "dead" {
				free(t, second)
				return
			}
			child.Resume()
			pause(t.Context(), time.Second) // in which the process could believe
			if err := second.Check(t.Context()); err != nil {
				t.Error(err)
			}
			to := now()
			free(t, second)
			if err := child.Wait(); err != nil {
				t.Fatal(err)
			}
			var theirs belief
			if text, err := os.ReadFile(result); err != nil || json.Unmarshal(text, &theirs) != nil {
				t.Fatal(err)
			}
			if theirs.Granted < to && theirs.Last > from || theirs.Fence <= second.Fence() {
				t.Errorf("the process: %s; the second: fence %d from %s to %s", theirs, second.Fence(), from, to)
			}
		})
	}
}

// startWaiter starts a process that waits for the room, and writes what it
// believed to a file.
func startWaiter(t testing.TB, addr string) (p *testproc.Child, result string) {
	result = filepath.Join(t.TempDir(), "belief.json")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "HOLDFAST_WAITER="+addr+" "+result)
	return testproc.Start(t, cmd), result
}

// beWaiter is the whole of a process that waits for the room.
func beWaiter(task string) error {
	addr, result, _ := strings.Cut(task, " ")
	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	defer client.Close()
	m, err := lock.New(redislock.New(client), lock.Config{Name: "rooms"})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), atMost)
	defer cancel()
	b := belief{Holder: "the process", Asked: now()}
	l, err := m.Acquire(ctx, lock.Key(theRoom))
	if err != nil {
		return err
	}
	b.Granted, b.Fence = now(), l.Fence()
	for end := now() + 200*time.Millisecond; now() < end && l.Err() == nil; pause(ctx, time.Millisecond) {
		b.Last = now()
	}
	text, err := json.Marshal(b)
	err = errors.Join(err, os.WriteFile(result, text, 0o600))
	// A machine that is late for two seconds does not confirm the grant in time. The
	// lease is lost then, as it must be, and its belief is what the test judges.
	if ended := errors.Join(l.Release(ctx), m.Close(ctx)); !errors.Is(ended, lock.ErrNotHeld) {
		err = errors.Join(err, ended)
	}
	return err
}

// A process that goes on but has forgotten its claim neither confirms a grant
// nor gives it back.
func TestAGrantToAForgetfulProcessGoesToTheNext(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	admin, forgetful := server.Client(t), redislock.New(server.Client(t))
	m := newManager(t, server.Client(t), lock.Config{})
	first := take(t, m)
	c := lock.StoreClaim{
		StoreTicket: lock.StoreTicket{Space: "rooms", Group: "all", Name: theRoom, ID: "forgotten", Token: "secret"},
		Resource:    lock.Key(theRoom), Capacity: []int{1}, TTL: time.Hour, Queue: true, Limit: 1,
	}
	for g := (lock.StoreGrant{}); g.Place == 0; {
		var err error
		if g, err = forgetful.Acquire(t.Context(), c); err != nil || g.Status != lock.StatusBlocked {
			t.Fatal(g, err)
		}
		if g.Place == 0 {
			_, _ = forgetful.Wait(t.Context(), c, g) // which opens the inbox
		}
	}
	next := queueUp(t, admin, m)
	start := time.Now()
	free(t, first)
	free(t, granted(t, next, start, afterALapse))
	if _, err := forgetful.Release(t.Context(), []lock.StoreTicket{c.StoreTicket}); err != nil {
		t.Error(err)
	}
}

// Without the right to publish or to subscribe, those who wait ask each second.
func TestAGrantWithoutTheRightToMessagesComesInASecond(t *testing.T) {
	for _, missing := range []string{"publish", "subscribe"} {
		t.Run(missing, func(t *testing.T) {
			t.Parallel()
			server := redistest.Real(t)
			admin := server.Client(t)
			if err := admin.Do(t.Context(), "ACL", "SETUSER", "clerk", "on", ">x", "~*", "&*", "+@all", "-"+missing).Err(); err != nil {
				t.Fatal(err)
			}
			connect := func() *redis.Client {
				client := redis.NewClient(&redis.Options{Addr: server.Addr, Username: "clerk", Password: "x", ContextTimeoutEnabled: true})
				t.Cleanup(func() { _ = client.Close() })
				return client
			}
			m := newManager(t, connect(), lock.Config{})
			first := take(t, m)
			ctx, cancel := context.WithTimeout(t.Context(), atMost)
			defer cancel()
			done := make(chan won, 1)
			go func() {
				l, err := newManager(t, connect(), lock.Config{}).Acquire(ctx, lock.Key(theRoom))
				done <- won{l, err, time.Now()}
			}()
			pause(ctx, time.Second+time.Second/2)
			start := time.Now()
			free(t, first)
			free(t, granted(t, done, start, afterALoss))
		})
	}
}

// The waiter's ctx ends just when its grant is made. The next caller finds
// the room free at once or the waiter in it.
func TestAGrantToOneWhoGivesUpAtThatInstantIsGivenBack(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	admin := server.Client(t)
	holder, other := newManager(t, server.Client(t), lock.Config{}), newManager(t, server.Client(t), lock.Config{})
	outcomes := make(map[bool]int)
	for i := range rounds(60) {
		l := take(t, holder)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan won, 1)
		go func() {
			l, err := other.Acquire(ctx, lock.Key(theRoom))
			done <- won{l, err, time.Now()}
		}()
		eventually(t, "place", func() bool { return places(t, admin) == 1 })
		time.AfterFunc(time.Duration(i%20)*50*time.Microsecond, cancel)
		free(t, l)
		w := <-done
		if outcomes[w.err == nil]++; w.err == nil {
			free(t, w.Lease)
		} else if !errors.Is(w.err, context.Canceled) {
			t.Fatal(w.err)
		}
		start := time.Now()
		l, err := holder.Acquire(t.Context(), lock.Key(theRoom), lock.Wait(atMost))
		if took := time.Since(start); err != nil || took > secondsOfGrace {
			t.Fatalf("the next one got %v after %s", err, took)
		}
		free(t, l)
		eventually(t, "empty queue", func() bool { return places(t, admin) == 0 })
	}
	t.Log(fmt.Sprint(outcomes[true], " were granted, ", outcomes[false], " had given up"))
}
