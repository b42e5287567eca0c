// SPDX-License-Identifier: MIT

package redislock

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
)

// onTrial returns a claim that was granted by the release of another, and that
// is not confirmed yet.
func (r *rig) onTrial(name string) lock.StoreClaim {
	r.Helper()
	c, _ := r.take(lock.Key(name), time.Hour)
	next := r.claim(lock.Key(name), time.Hour)
	done := r.queue(r.Store, next)
	r.release(c.StoreTicket)
	if err := <-done; err != nil {
		r.Fatal(err)
	}
	return next
}

func TestAGrantThatIsTakenOverIsStillToBeConfirmed(t *testing.T) {
	virtual(t, func(r *rig) {
		c := r.onTrial("room")
		take := lock.StoreRenewal{StoreTicket: c.StoreTicket, TakeOver: "next"}
		if g := r.extend(take)[0]; g.Status != lock.StatusGranted || !g.Hold.Unconfirmed {
			t.Fatalf("taken over: %+v, want it granted and unconfirmed", g)
		}
		c.Token = "next"
		time.Sleep(lock.StoreTrialTime / 2)
		if g := r.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: time.Hour, Confirm: true})[0]; g.Hold.Unconfirmed || g.Hold.Left != time.Hour {
			t.Errorf("confirmed: %+v, want an hour left", g)
		}
	})
}

func TestAGrantThatIsReleasedAndKeptBeforeItIsConfirmedLeavesNoNote(t *testing.T) {
	virtual(t, func(r *rig) {
		held, _ := r.take(lock.Key("room"), time.Hour)
		c := r.claim(lock.Key("room"), time.Hour)
		c.KeepAtLeast, c.Fence = time.Minute, 1
		done := r.queue(r.Store, c)
		r.release(held.StoreTicket)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		r.release(c.StoreTicket)
		if left := r.client.ZRange(r.Context(), r.keys("rooms", "hotel")[4], 0, -1).Val(); len(left) != 0 || len(r.list(lock.Key("room"))) != 1 {
			t.Errorf("the queue has %q, want nothing, beside one hold", left)
		}
	})
}

// The places of its inbox go with a grant that lapses; one that was taken over
// is of no inbox.
func TestAGrantThatIsTakenOverAndLapsesTakesNoPlaceAlong(t *testing.T) {
	virtual(t, func(r *rig) {
		c := r.onTrial("room")
		r.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TakeOver: "next"})
		other := r.onTrial("other") // whose mark in the queue must stay, too
		held, _ := r.take(lock.Key("hall"), time.Hour)
		done := r.queue(r.Store, r.claim(lock.Key("hall"), time.Hour))
		r.extend(lock.StoreRenewal{StoreTicket: other.StoreTicket, TTL: time.Hour, Confirm: true})
		time.Sleep(lock.StoreTrialTime + pulse)
		start := time.Now()
		r.release(held.StoreTicket)
		if err := <-done; err != nil || time.Since(start) != 0 {
			t.Errorf("granted after %s, %v, want at once", time.Since(start), err)
		}
	})
}

// within returns what comes in, or an error when that takes longer than d.
func (r *rig) within(d time.Duration, done <-chan error) error {
	select {
	case err := <-done:
		return err
	case <-time.After(d):
		return context.DeadlineExceeded
	}
}

// A client that fails over keeps its subscription to the former master as long
// as that lives, and PUBLISH counts no receiver on the new one.
func TestAProcessThatIsDeafAsks(t *testing.T) {
	everywhere(t, func(r *rig) {
		c, _ := r.take(lock.Key("room"), time.Hour)
		done := r.queue(r.Store, r.claim(lock.Key("room"), time.Hour))
		channel := r.inbox.feed.Channel()
		if err := r.inbox.feed.PubSub().Unsubscribe(r.Context(), channel); err != nil {
			r.Fatal(err)
		}
		for r.client.PubSubNumSub(r.Context(), channel).Val()[channel] > 0 {
			time.Sleep(5 * time.Millisecond) // until the command has arrived
		}
		start := time.Now()
		if _, err := New(r.client).Release(r.Context(), []lock.StoreTicket{c.StoreTicket}); err != nil {
			r.Fatal(err)
		}
		if err := r.within(2*pulse, done); err != nil {
			r.Errorf("granted after %s: %v", time.Since(start), err)
		}
	})
}

// What waits takes no more memory, and a release frees some.
func TestWaitersKeepTheirPlacesInAServerWithoutMemory(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Real(t).Client(t))
	c, _ := r.take(lock.Key("room"), time.Hour)
	next := r.claim(lock.Key("room"), time.Hour)
	done := r.queue(r.Store, next)
	if err := r.client.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(4 * pulse) // longer than a place lasts without a ping
	if _, err := New(r.client).Release(t.Context(), []lock.StoreTicket{c.StoreTicket}); err != nil {
		t.Fatal(err)
	}
	if holder := r.holder("room"); holder != next.ID {
		t.Errorf("the release granted the room to %q, want the one who waited", holder)
	}
	if err := r.within(2*pulse, done); err != nil {
		t.Errorf("the grant did not arrive: %v", err)
	}
}

// A user may run scripts and not what is in them.
func TestWhatAServerMendsByItselfIsWaitedOut(t *testing.T) {
	for _, answer := range []string{"LOADING", "READONLY", "TRYAGAIN", "BUSY", "CLUSTERDOWN", "MASTERDOWN", "NOREPLICAS", "OOM", "MISCONF"} {
		synctest.Test(t, func(t *testing.T) {
			client, server := redistest.Virtual(t)
			m, err := lock.New(New(client), lock.Config{Name: "rooms"})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close(t.Context())
			server.SetError(answer + " for a while")
			time.AfterFunc(3*time.Second, func() { server.SetError("") })
			start := time.Now()
			if _, err := m.Acquire(t.Context(), lock.Key("room"), lock.Wait(time.Minute)); err != nil || time.Since(start) > 6*time.Second {
				t.Errorf("%s: %v after %s, want a lease when it is over", answer, err, time.Since(start))
			}
		})
	}
}

func TestAMissingRightInsideAScriptIsPermanent(t *testing.T) {
	t.Parallel()
	r := newRig(t, limited(t, "&*", "+@all", "-zadd"))
	if _, err := r.Acquire(t.Context(), r.claim(lock.Key("room"), time.Hour)); !errors.Is(err, lock.ErrPermanent) {
		t.Errorf("error is %v, want one that wraps ErrPermanent", err)
	}
}

// Before it knows a client, a server refuses long commands with an error of its
// own.
func TestAMissingPasswordIsPermanent(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Real(t, "--requirepass", "x").Client(t))
	if _, err := r.Acquire(t.Context(), r.claim(lock.Key("room"), time.Hour)); !errors.Is(err, lock.ErrPermanent) {
		t.Errorf("error is %v, want one that wraps ErrPermanent", err)
	}
}
