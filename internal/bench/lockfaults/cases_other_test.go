// SPDX-License-Identifier: MIT

package lockfaults

import (
	"context"
	"fmt"
	"sync"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

var etcdCases = []peerCase{
	{"TryLock refuses what is taken", "", func(h *hotel) {
		l := h.take(h.one, room)
		h.taken(h.two, room)
		h.free(l)
		h.take(h.two, room)
	}},
	{"Unlock hands over to who waits, in order of arrival", "", func(h *hotel) {
		l := h.take(h.one, room)
		order := h.line(10, time.Second, h.free)
		h.free(l)
		h.inOrder(order())
	}},
	{"a waiter waits for the holder, not for those who gave up before it", "", func(h *hotel) {
		l := h.take(h.one, room)
		for range 5 {
			_, err := h.two.Acquire(h.Context(), room, lock.Wait(time.Second))
			h.is(err, lock.ErrConflict)
		}
		h.freeLater(time.Second, l)
		h.wait(h.two, room, time.Second)
	}},
	{"a lock goes with the session of its holder", "each has a TTL of its own, and there are no sessions", func(h *hotel) {
		h.take(h.one, room).Detach() // it is not renewed
		h.take(h.one, lock.Key("other"), lock.TTL(time.Hour))
		h.wait(h.two, room, minuteTTL)
		h.taken(h.two, lock.Key("other"))
	}},
	{"a wait fails when its session ends", "", func(h *hotel) {
		l := h.take(h.one, room)
		time.AfterFunc(time.Second, func() { _ = h.two.Close(context.Background()) })
		_, err := h.two.Acquire(h.Context(), room)
		h.is(err, lock.ErrClosed)
		synctest.Wait() // its place is given up on the side
		h.free(l)
		h.take(h.one, room)
	}},
	{"a session that has the lock gets it again", "a holder conflicts with itself, and waiting for one's own lease is ErrInvalid at once", func(h *hotel) {
		l := h.take(h.one, room)
		h.taken(h.one, room)
		_, err := h.one.Acquire(l.Context(h.Context()), room)
		h.is(err, lock.ErrInvalid)
	}},
	{"each owner has a higher revision to guard its writes with", "", func(h *hotel) {
		last := uint64(0)
		for i := range 10 {
			l := h.take([]*lock.Manager{h.one, h.two}[i%2], room)
			if l.Fence() <= last {
				h.Errorf("fence %d after %d", l.Fence(), last)
			}
			last = l.Fence()
			h.free(l)
		}
	}},
	{"readers share, and a writer is alone", "", func(h *hotel) {
		reader := h.take(h.one, room.Shared())
		h.freeLater(time.Second, reader)
		other := h.take(h.two, room.Shared())
		h.freeLater(2*time.Second, other)
		h.taken(h.one, room)
		writer := h.wait(h.one, room, 2*time.Second)
		h.taken(h.two, room.Shared())
		h.free(writer)
	}},
	{"one candidate leads, and the next one when it resigns", "", func(h *hotel) {
		l := h.take(h.one, lock.Key("leader"), lock.AutoRenew())
		h.freeLater(time.Hour, l)
		h.wait(h.two, lock.Key("leader"), time.Hour, lock.AutoRenew())
	}},
	{"anyone sees who leads", "by asking: Holds does not watch", func(h *hotel) {
		l := h.take(h.one, lock.Key("leader"), lock.AutoRenew())
		if who := h.only(lock.Key("leader")).Holder; who != "process 1" {
			h.Errorf("%s leads", who)
		}
		h.free(l)
		if list := h.holds(lock.Key("leader")); len(list) != 0 {
			h.Errorf("%v leads", list)
		}
	}},
	{"an election is resumed from its key and revision", "from a Ref, which is secret, and with a higher fence", func(h *hotel) {
		ref := h.take(h.one, lock.Key("leader")).Detach()
		l, err := h.two.Resume(h.Context(), ref, lock.AutoRenew())
		h.is(err, nil)
		time.Sleep(time.Hour)
		h.free(l)
		_, err = h.one.Resume(h.Context(), ref)
		h.is(err, lock.ErrNotHeld)
	}},
}

var redissonCases = []peerCase{
	{"tryLock waits for as long as it may", "", func(h *hotel) {
		h.take(h.one, room)
		start := time.Now()
		_, err := h.two.Acquire(h.Context(), room, lock.Wait(3*time.Second))
		if h.is(err, lock.ErrConflict); time.Since(start) != 3*time.Second {
			h.Errorf("it waited %s", time.Since(start))
		}
	}},
	{"forceUnlock frees", "", func(h *hotel) {
		h.take(h.one, room)
		h.is(h.two.ForceRelease(h.Context(), h.only(room)), nil)
		h.take(h.two, room)
	}},
	{"forceUnlock lets the next one in at once", "", func(h *hotel) {
		h.take(h.one, room)
		hold := h.only(room)
		time.AfterFunc(time.Second, func() { _ = h.two.ForceRelease(context.Background(), hold) })
		h.wait(h.two, room, time.Second)
	}},
	{"a lock ends with its lease time, and unlocking then throws", "", func(h *hotel) {
		l := h.take(h.one, room, lock.TTL(2*time.Second))
		h.free(h.wait(h.two, room, 2*time.Second))
		h.is(l.Release(h.Context()), lock.ErrNotHeld)
	}},
	{"it can be asked for whether and for how long it is locked", "", func(h *hotel) {
		l := h.take(h.one, room, lock.TTL(time.Hour))
		if left := h.only(room).Left; left != time.Hour {
			h.Errorf("%s left", left)
		}
		h.free(l)
		if len(h.holds(room)) != 0 {
			h.Error("still locked")
		}
	}},
	{"a thread locks several times and unlocks as often", "no: reentrancy hides who holds what; pass the lease on", func(h *hotel) {
		l := h.take(h.one, room)
		h.taken(h.one, room)
		h.free(l)
		h.is(l.Release(h.Context()), nil) // a second time changes nothing
		h.take(h.two, room)
	}},
	{"only the owner unlocks", "", func(h *hotel) {
		ref := h.take(h.one, room).Detach()
		text, err := ref.MarshalJSON()
		h.is(err, nil)
		var forged lock.Ref
		text[len(text)-3] ^= 'A' ^ 'B' // in the secret
		if forged.UnmarshalJSON(text) == nil {
			_, err = h.two.Resume(h.Context(), forged)
			h.is(err, lock.ErrNotHeld)
		}
		h.only(room)
	}},
	{"the watchdog renews while the holder lives, and not when it has died", "", func(h *hotel) {
		l := h.take(h.one, room, lock.AutoRenew())
		time.Sleep(10 * minuteTTL)
		h.taken(h.two, room)
		l.Detach()
		start := time.Now()
		next, err := h.two.Acquire(h.Context(), room)
		if h.is(err, nil); time.Since(start) > minuteTTL {
			h.Errorf("granted after %s", time.Since(start))
		}
		h.free(next)
	}},
	{"a fair lock serves in order of arrival, in all processes", "always: there is no other kind", func(h *hotel) {
		h.inOrder(h.line(20, 100*time.Millisecond, h.free)())
	}},
	{"a fair lock serves in order even if no one unlocks", "", func(h *hotel) {
		h.inOrder(h.line(8, 0, func(l *lock.Lease) { l.Detach() }, lock.TTL(5*time.Second))())
	}},
	{"fifty who give up again and again make the next one wait no longer", "", func(h *hotel) {
		l := h.take(h.one, room)
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				time.Sleep(time.Duration(i%3) * 50 * time.Millisecond)
				_, err := h.two.Acquire(h.Context(), room, lock.Wait(500*time.Millisecond))
				h.is(err, lock.ErrConflict)
			})
		}
		all.Wait()
		h.freeLater(0, l)
		h.wait(h.one, room, 0)
	}},
	{"of readers with different lease times the longest keeps the writer out", "", func(h *hotel) {
		h.take(h.one, room.Shared(), lock.TTL(10*time.Second))
		h.take(h.two, room.Shared(), lock.TTL(3*time.Second))
		h.wait(h.two, room, 10*time.Second)
	}},
	{"all readers come in when the writer's time is over", "", func(h *hotel) {
		h.take(h.one, room, lock.TTL(10*time.Second)).Detach()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { h.wait(h.two, room.Shared(), 10*time.Second) })
		}
		all.Wait()
	}},
	{"a reader is let in beside readers though a writer waits", "it waits behind the writer, who would else never come in", func(h *hotel) {
		reader := h.take(h.one, room.Shared())
		h.freeLater(2*time.Second, reader)
		done := make(chan struct{})
		go func() {
			defer close(done)
			h.freeLater(time.Second, h.wait(h.one, room, 2*time.Second))
		}()
		time.Sleep(time.Second)
		h.wait(h.two, room.Shared(), 2*time.Second)
		<-done
	}},
	{"who writes may read, too", "as with any second lease of one's own: a conflict, or ErrInvalid for who would wait", func(h *hotel) {
		l := h.take(h.one, room)
		h.taken(h.one, room.Shared())
		_, err := h.one.Acquire(l.Context(h.Context()), room.Shared())
		h.is(err, lock.ErrInvalid)
	}},
	{"a lock of several is all or none", "", func(h *hotel) {
		held := h.take(h.one, lock.Key("c"))
		all := lock.All(lock.Key("a"), lock.Key("b"), lock.Key("c"))
		h.taken(h.two, all)
		h.free(h.take(h.one, lock.Key("a"))) // nothing of it stayed
		h.freeLater(time.Second, held)
		h.free(h.wait(h.two, all, time.Second))
	}},
	{"a semaphore has permits", "", func(h *hotel) {
		three := lock.Key("a+b+c") // a capacity of three
		l := h.take(h.one, three.Units(2))
		h.take(h.two, three)
		h.taken(h.two, three)
		h.freeLater(time.Second, l)
		h.wait(h.two, three.Units(2), time.Second)
	}},
	{"more permits than there are wait for ever", "that is ErrInvalid at once", func(h *hotel) {
		_, err := h.one.Acquire(h.Context(), lock.Key("a+b").Units(3))
		h.is(err, lock.ErrInvalid)
	}},
	{"a permit ends with its lease time", "", func(h *hotel) {
		two := lock.Key("a+b")
		h.take(h.one, two, lock.TTL(time.Second)).Detach()
		h.take(h.one, two, lock.TTL(time.Hour))
		h.wait(h.two, two, time.Second)
	}},
	{"a fenced lock's token rises with each lock, through expiry, too", "", func(h *hotel) {
		first := h.take(h.one, room, lock.TTL(time.Second))
		time.Sleep(time.Second)
		if second := h.take(h.two, room); second.Fence() <= first.Fence() {
			h.Errorf("fence %d after %d", second.Fence(), first.Fence())
		}
	}},
	{"a hundred wait for five names through one subscription", "", func(h *hotel) {
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				l, err := []*lock.Manager{h.one, h.two}[i%2].Acquire(h.Context(), lock.Key(fmt.Sprint(i%5)))
				if err != nil {
					h.Error(err)
					return
				}
				time.Sleep(20 * time.Millisecond)
				h.free(l)
			})
		}
		start := time.Now()
		if all.Wait(); time.Since(start) > time.Second {
			h.Errorf("it took %s", time.Since(start))
		}
	}},
}
