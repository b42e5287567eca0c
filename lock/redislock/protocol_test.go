// SPDX-License-Identifier: MIT

package redislock

import (
	"context"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/rediscall"
	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
)

// A client that finds its server by name keeps its subscription to the former
// master, which is a replica now and passes on what the new one publishes, to
// subscribers that the new one does not count.
func TestAGrantThatAReplicaPassesOnIsRecorded(t *testing.T) {
	t.Parallel()
	old := redistest.Real(t)
	next := redistest.Replica(t, old.Addr)
	var master atomic.Value
	master.Store(old.Addr)
	named := redis.NewClient(&redis.Options{
		Addr: old.Addr, ContextTimeoutEnabled: true,
		Dialer: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, master.Load().(string))
		},
	})
	t.Cleanup(func() { _ = named.Close() })
	r, admin := newRig(t, named), old.Client(t)
	c, _ := r.take(lock.Key("room"), time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 2)
	go func() { left <- insist(ctx, r.Store, r.claim(lock.Key("room"), time.Hour)) }()
	for r.client.ZCard(t.Context(), r.keys("rooms", "hotel")[4]).Val() == 0 {
		time.Sleep(5 * time.Millisecond) // until another goroutine's command has arrived
	}

	host, port, _ := net.SplitHostPort(next.Addr)
	promoted := &rig{T: t, Store: New(next.Client(t)), client: next.Client(t), made: 100}
	if err := promoted.client.Do(t.Context(), "REPLICAOF", "NO", "ONE").Err(); err != nil {
		t.Fatal(err)
	}
	if err := admin.Do(t.Context(), "REPLICAOF", host, port).Err(); err != nil {
		t.Fatal(err)
	}
	master.Store(next.Addr)
	for !strings.Contains(admin.Info(t.Context(), "replication").Val(), "master_link_status:up") {
		time.Sleep(5 * time.Millisecond) // the servers agree in their own time
	}

	done := promoted.queue(promoted.Store, promoted.claim(lock.Key("room"), time.Hour))
	promoted.release(c.StoreTicket)
	if err := promoted.within(lock.StoreTrialTime/2, done); err != nil {
		t.Errorf("the second waiter: %v", err)
	}
	holds := promoted.list(lock.Key("room"))
	if err := r.within(lock.StoreTrialTime/4, left); err == nil {
		t.Errorf("the waiter of the replica was granted what %v has", ids(holds))
	}
	cancel()
}

// forgets has the server believe that it has not heard of the inbox for too
// long, and another store's script find that.
func (r *rig) forgets(inbox string) {
	r.Helper()
	long := time.Now().UnixMilli() - 1
	r.client.ZAdd(r.Context(), r.keys("rooms", "hotel")[2], redis.Z{Score: float64(long), Member: "@" + inbox})
	r.client.HSet(r.Context(), r.keys("rooms", "hotel")[1], "#due", long)
	r.sweep()
}

// Another waiter of the process queues up before its next ping.
func TestAWaiterWhosePlaceWasDroppedHasANewOneWithinASecond(t *testing.T) {
	virtual(t, func(r *rig) {
		c, _ := r.take(lock.Key("room"), time.Hour)
		one, other := r.claim(lock.Key("room"), time.Hour), r.claim(lock.Key("room"), time.Hour)
		dropped := r.queue(r.Store, one)
		time.Sleep(pulse + pulse/2)
		r.forgets(r.inbox.address())
		second := r.queue(r.Store, other)
		time.Sleep(pulse)
		r.release(c.StoreTicket)
		if err := r.within(pulse, second); err != nil {
			t.Fatal(err)
		}
		r.release(other.StoreTicket)
		if err := r.within(pulse, dropped); err != nil {
			t.Errorf("the one whose place was dropped: %v", err)
			r.release(one.StoreTicket)
		}
	})
}

// A script that finds the inbox of a waiter lapsed, and then has it queue up,
// counts it from then on.
func TestAPlaceThatIsAnsweredIsThere(t *testing.T) {
	virtual(t, func(r *rig) {
		r.take(lock.Span("room", 1, 2), time.Hour)
		r.queue(r.Store, r.claim(lock.Span("room", 1, 3), time.Hour))
		r.queue(New(r.client), r.claim(lock.Span("room", 2, 4), time.Hour))
		expiry, earlier := r.keys("rooms", "hotel")[2], float64(time.Now().UnixMilli()-2)
		for i := range 64 { // more than one script sweeps
			r.client.ZAdd(r.Context(), expiry, redis.Z{Score: earlier, Member: "gone" + strconv.Itoa(i)})
		}
		r.client.ZAdd(r.Context(), expiry, redis.Z{Score: earlier + 1, Member: "@" + r.inbox.address()})
		r.client.HSet(r.Context(), r.keys("rooms", "hotel")[1], "#due", int(earlier))
		late := r.claim(lock.Span("room", 2, 5), time.Hour)
		late.Queue = true
		if g := r.ask(late); g.Place == 0 || !r.client.HExists(r.Context(), r.keys("rooms", "hotel")[1], "?"+late.ID).Val() {
			t.Errorf("answered place %d, which is not there", g.Place)
		}
	})
}

// The hold that it had has expired, and no script has come across it.
func TestAClaimThatIsGivenUpAfterItsHoldExpiredStaysSo(t *testing.T) {
	everywhere(t, func(r *rig) {
		c, _ := r.take(lock.Key("room"), 20*time.Millisecond)
		r.pass(c.TTL)
		if got := r.release(c.StoreTicket); got != lock.StatusMissing {
			r.Errorf("given up: status %d, want missing", got)
		}
		if g := r.ask(c); g.Status != lock.StatusMissing {
			r.Errorf("asked for again: %s, want missing", describe(g))
		}
		if got := ids(r.sweep()); len(got) != 1 {
			r.Errorf("%v expired, want the hold", got)
		}
	})
}

// A script sweeps 64 holds, and this one is the 65th.
func TestAnExpiredHoldIsNotGrantedAgainAsItStands(t *testing.T) {
	virtual(t, func(r *rig) {
		for i := range 64 {
			r.take(lock.Key(strconv.Itoa(i)), time.Second)
		}
		c, first := r.take(lock.Key("room"), time.Second+time.Millisecond)
		r.pass(c.TTL)
		if g := r.ask(c); g.Status != lock.StatusGranted || g.Hold.Left != c.TTL || g.Hold.Fence <= first.Hold.Fence {
			r.Errorf("asked for again: %+v, want a new hold", g)
		}
	})
}

// Nothing of a process that died with its grant is there for ever.
func TestTheNoteOfAGrantExpires(t *testing.T) {
	virtual(t, func(r *rig) {
		r.onTrial("room")
		second := r.claim(lock.Key("hall"), time.Hour)
		second.Queue = true
		r.ask(second)
		r.release(lock.StoreTicket{Space: "rooms", Group: "hotel", Name: "room", ID: "id2", Token: "secret2"})
		r.release(second.StoreTicket)
		if n := r.client.Exists(r.Context(), r.keys("rooms", "hotel")[4]).Val(); n != 0 {
			t.Fatal("the queue is there still")
		}
		second.ID = "third"
		if g := r.ask(second); !g.Hold.Unconfirmed {
			t.Fatalf("%+v, want an unconfirmed hold", g)
		}
		if left := r.client.PTTL(r.Context(), r.keys("rooms", "hotel")[4]).Val(); left <= 0 {
			t.Errorf("the queue lives for %s, want some days", left)
		}
	})
}

func TestTheNoteOfAGrantByReleaseExpires(t *testing.T) {
	for _, res := range []lock.Resource{lock.Key("hall"), lock.Span("hall", 1, 2)} {
		virtual(t, func(r *rig) {
			if err := r.inbox.open(r.Context()); err != nil {
				r.Fatal(err)
			}
			held, _ := r.take(res, time.Hour)
			next := r.claim(res, time.Hour)
			for next.Queue = true; r.ask(next).Place == 0; {
				time.Sleep(time.Millisecond)
			}
			r.release(held.StoreTicket)
			if got := ids(r.list(res)); !slices.Equal(got, []string{next.ID}) {
				r.Fatalf("%s is held by %v, want the one that waited", res, got)
			}
			if left := r.client.PTTL(r.Context(), r.keys("rooms", "hotel")[4]).Val(); left <= 0 {
				r.Errorf("%s: the queue lives for %s, want some days", res, left)
			}
		})
	}
}

// Two scripts left the same part to a later one: the first had come further
// than the second.
func TestWhatIsLeftToALaterScriptIsServedFromTheFirst(t *testing.T) {
	virtual(t, func(r *rig) {
		held, _ := r.take(lock.Span("room", 1, 5), time.Hour)
		done := r.queue(r.Store, r.claim(lock.Span("room", 2, 3), time.Hour))
		part := member(digit(held.Resource), held.Resource)
		keys := r.keys("rooms", "hotel")
		r.client.ZRem(r.Context(), keys[0], part+held.ID)
		r.client.ZRem(r.Context(), keys[2], held.ID)
		r.client.HDel(r.Context(), keys[1], held.ID)
		further := "room\x00" + strings.Repeat("9", 16)
		r.client.HSet(r.Context(), keys[1], "#more", string(appendField(appendField(appendField(appendField(nil, part), ""), part), further)))
		if err := r.within(2*pulse, done); err != nil {
			t.Errorf("the waiter: %v", err)
			r.inbox.leave("id2")
		}
	})
}

// The server's clock went forward after the pair was taken: only the time of
// receipt bounds the belief, by what the hold was granted for.
func TestAMessageIsBelievedForNoLongerThanTheTrial(t *testing.T) {
	for name, c := range map[string]struct {
		claim lock.StoreClaim
		want  time.Duration
	}{
		"a long TTL":  {lock.StoreClaim{TTL: time.Hour}, lock.StoreTrialTime},
		"a short TTL": {lock.StoreClaim{TTL: 500 * time.Millisecond}, 500 * time.Millisecond},
		"MaxHold":     {lock.StoreClaim{TTL: time.Hour, MaxHold: time.Second}, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(r *rig) {
				held, _ := r.take(lock.Key("room"), time.Hour)
				next := r.claim(lock.Key("room"), c.claim.TTL)
				next.MaxHold = c.claim.MaxHold
				ctx, cancel := context.WithCancel(r.Context())
				defer cancel()
				done := r.queue(r.Store, r.claim(lock.Key("room"), time.Hour)) // opens the inbox
				next.Queue = true
				g := r.ask(next)
				r.inbox.read(next.ID + " " + strconv.FormatInt(time.Now().Add(time.Hour).UnixMilli(), 10) + " 1,,")
				received := time.Now()
				won, err := r.Wait(ctx, next, g)
				if until := won.Since.Add(won.Hold.Left); err != nil || until.Sub(received) > c.want {
					r.Errorf("believed for %s, %v, want at most %s", until.Sub(received), err, c.want)
				}
				r.release(held.StoreTicket)
				<-done
			})
		})
	}
}

// after calls f when a script was answered, before its caller learns of it.
type after struct{ f func() }

func (after) DialHook(next redis.DialHook) redis.DialHook { return next }

func (a after) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if strings.HasPrefix(cmd.Name(), "eval") {
			a.f()
		}
		return err
	}
}

func (after) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func TestAHoldThatIsReleasedWhileItIsRenewedIsNotWatched(t *testing.T) {
	virtual(t, func(r *rig) {
		c, _ := r.take(lock.Key("room"), time.Hour)
		r.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: time.Hour}) // the server knows the script
		released := false
		r.client.AddHook(after{func() {
			if !released {
				released = true
				r.release(c.StoreTicket)
			}
		}})
		r.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: time.Hour, Lost: func() {}})
		time.Sleep(rediscall.Linger + time.Second) // until the inbox, which has no user, is closed
		r.inbox.mu.Lock()
		defer r.inbox.mu.Unlock()
		if n := len(r.inbox.held); n != 0 || !released {
			t.Errorf("%d holds are watched, want none", n)
		}
	})
}

// Another claim of the process has a grant that it has not confirmed yet.
func TestAWaiterThatLostItsPlaceAmongGrantsOfItsProcessHasANewOne(t *testing.T) {
	virtual(t, func(r *rig) {
		r.onTrial("room")
		r.take(lock.Key("hall"), time.Hour)
		next := r.claim(lock.Key("hall"), time.Hour)
		ctx, cancel := context.WithCancel(r.Context())
		left := make(chan error, 1)
		next.Queue = true
		go func() { left <- insist(ctx, r.Store, next) }()
		synctest.Wait()
		keys := r.keys("rooms", "hotel")
		time.Sleep(pulse / 2)
		for _, m := range r.client.ZRange(ctx, keys[4], 0, -1).Val() {
			if strings.HasSuffix(m, next.ID) {
				r.client.ZRem(ctx, keys[4], m)
			}
		}
		r.client.HDel(ctx, keys[1], "?"+next.ID)
		time.Sleep(pulse)
		if !r.client.HExists(ctx, keys[1], "?"+next.ID).Val() {
			t.Error("the waiter has no place")
		}
		cancel()
		<-left
		r.inbox.leave(next.ID)
		time.Sleep(lock.StoreTrialTime)
	})
}

// What has ended without a message makes room; what is still held keeps its place.
func TestOnlyHoldsThatHaveEndedAreNotWatchedAnyMore(t *testing.T) {
	virtual(t, func(r *rig) {
		watch := func(ids string, ttl time.Duration) {
			for n := range manyRooms {
				r.inbox.watch(ids+strconv.Itoa(n), func() {}, ttl)
			}
		}
		watch("short", time.Second)
		watch("long", time.Hour)
		r.pass(2 * time.Second)
		watch("more", time.Hour)
		r.inbox.watch("last", func() {}, time.Hour)
		r.inbox.mu.Lock()
		defer r.inbox.mu.Unlock()
		kept := map[string]int{}
		for id := range r.inbox.held {
			kept[strings.TrimRight(id, "0123456789")]++
		}
		if want := map[string]int{"long": manyRooms, "more": manyRooms, "last": 1}; !maps.Equal(kept, want) {
			t.Errorf("watched are %v, want %v", kept, want)
		}
	})
}
