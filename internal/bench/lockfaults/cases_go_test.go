// SPDX-License-Identifier: MIT

package lockfaults

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

var bsmCases = []peerCase{
	{"what is free is obtained and released", "", func(h *hotel) {
		h.free(h.take(h.one, room))
		h.free(h.take(h.two, room))
	}},
	{"a lock has its metadata", "", func(h *hotel) {
		l := h.take(h.one, room, lock.Detail("guest", "Ada"))
		if got := h.only(room).Details["guest"] + l.Details()["guest"]; got != "AdaAda" {
			h.Errorf("details %q", got)
		}
	}},
	{"who is refused gets no lock", "", func(h *hotel) {
		h.take(h.one, room)
		h.taken(h.two, room)
	}},
	{"of a hundred who ask at once one obtains it", "", func(h *hotel) {
		var won atomic.Int64
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				if _, err := []*lock.Manager{h.one, h.two}[i%2].TryAcquire(h.Context(), room); err == nil {
					won.Add(1)
				} else if !errors.Is(err, lock.ErrConflict) {
					h.Error(err)
				}
			})
		}
		if all.Wait(); won.Load() != 1 {
			h.Errorf("%d obtained it", won.Load())
		}
	}},
	{"a retry obtains it when the lock in the way has expired", "", func(h *hotel) {
		h.take(h.one, room, lock.TTL(time.Second)).Detach()
		h.wait(h.two, room, time.Second)
	}},
	{"retries that end earlier fail as a refusal does", "", func(h *hotel) {
		h.take(h.one, room, lock.TTL(time.Second))
		_, err := h.two.Acquire(h.Context(), room, lock.Wait(time.Second/2))
		if h.is(err, lock.ErrConflict); errors.Is(err, context.DeadlineExceeded) {
			h.Error(err)
		}
	}},
	{"the deadline of the context ends the retries", "", func(h *hotel) {
		h.take(h.one, room)
		ctx, cancel := context.WithTimeout(h.Context(), time.Second)
		defer cancel()
		_, err := h.two.Acquire(ctx, room)
		h.is(err, context.DeadlineExceeded)
		h.is(err, lock.ErrConflict)
	}},
	{"a refresh sets a longer TTL", "", func(h *hotel) {
		h.is(h.take(h.one, room).Extend(h.Context(), time.Hour), nil)
		if left := h.only(room).Left; !near(left, time.Hour) {
			h.Errorf("%s left", left)
		}
	}},
	{"a refresh sets a shorter TTL", "it never shortens: a late repetition of an old extension must not end a lease early", func(h *hotel) {
		h.is(h.take(h.one, room).Extend(h.Context(), time.Second), nil)
		if left := h.only(room).Left; !near(left, minuteTTL) {
			h.Errorf("%s left", left)
		}
	}},
	{"what has expired is not refreshed", "", func(h *hotel) {
		l := h.take(h.one, room, lock.TTL(time.Second))
		time.Sleep(2 * time.Second) // in the bubble of the case
		h.is(l.Extend(h.Context(), time.Hour), lock.ErrNotHeld)
	}},
	{"releasing what has expired says so", "", func(h *hotel) {
		l := h.take(h.one, room, lock.TTL(time.Second))
		time.Sleep(2 * time.Second) // in the bubble of the case
		h.is(l.Release(h.Context()), lock.ErrNotHeld)
	}},
	{"releasing what another has by now says so and leaves it", "", func(h *hotel) {
		l := h.take(h.one, room, lock.TTL(time.Second))
		time.Sleep(2 * time.Second) // in the bubble of the case
		other := h.take(h.two, room)
		h.is(l.Release(h.Context()), lock.ErrNotHeld)
		h.is(other.Check(h.Context()), nil)
	}},
	{"releasing no lock is an error", "it is none: a release in a defer needs no condition", func(h *hotel) {
		var none *lock.Lease
		h.is(none.Release(h.Context()), nil)
	}},
	{"who knows the token obtains the lock once more", "Resume takes it over, with a higher fence, and the former lease ends: two holders of one lock are what locks prevent", func(h *hotel) {
		l := h.take(h.one, room)
		fence := l.Fence()
		ref := l.Detach()
		again, err := h.two.Resume(h.Context(), ref)
		if h.is(err, nil); again.Fence() <= fence {
			h.Errorf("fence %d after %d", again.Fence(), fence)
		}
		third, err := h.one.Resume(h.Context(), ref)
		h.is(err, nil)
		h.is(again.Check(h.Context()), lock.ErrNotHeld)
		h.is(third.Check(h.Context()), nil)
	}},
	{"the remaining time can be asked for", "", func(h *hotel) {
		l := h.take(h.one, room, lock.TTL(time.Hour))
		time.Sleep(20 * time.Minute) // in the bubble of the case
		if got := time.Until(l.Deadline()); !near(got, 40*time.Minute) || h.only(room).Left != 40*time.Minute {
			h.Errorf("%s left by the lease, %s by the store", got, h.only(room).Left)
		}
	}},
}

var redsyncCases = []peerCase{
	{"TryLock does not wait", "", func(h *hotel) {
		h.take(h.one, room)
		start := time.Now()
		if h.taken(h.two, room); time.Since(start) != 0 {
			h.Errorf("it took %s", time.Since(start))
		}
	}},
	{"the error says where it is taken", "it says by whom, of what and for how long: there is one store", func(h *hotel) {
		h.take(h.one, lock.Span("room", 3, 5))
		c, _ := h.taken(h.two, lock.Span("room", 4, 9)).First()
		if c.Hold.Holder != "process 1" || !near(c.Hold.Left, minuteTTL) || c.Hold.Resource.String() != lock.Span("room", 3, 5).String() {
			h.Errorf("%+v", c)
		}
	}},
	{"mutexes of one name are locked one after the other", "", func(h *hotel) {
		var inside atomic.Int64
		h.inOrder(h.line(8, time.Second, func(l *lock.Lease) {
			if inside.Add(1) != 1 {
				h.Error("two at once")
			}
			inside.Add(-1)
			h.free(l)
		})())
	}},
	{"an extension moves the end", "", func(h *hotel) {
		l := h.take(h.one, room)
		time.Sleep(time.Second) // in the bubble of the case
		before := l.Deadline()
		if h.is(l.Extend(h.Context(), 0), nil); l.Deadline().Sub(before) != time.Second {
			h.Errorf("moved by %s", l.Deadline().Sub(before))
		}
	}},
	{"what has expired is not extended", "", func(h *hotel) {
		l := h.take(h.one, room, lock.TTL(time.Second))
		time.Sleep(time.Second) // in the bubble of the case
		h.is(l.Extend(h.Context(), 0), lock.ErrNotHeld)
	}},
	{"with SetNXOnExtend an extension takes what has expired again", "never: another may have held it in between, and what was written under the old fence is out of date", func(h *hotel) {
		l := h.take(h.one, room, lock.TTL(time.Second))
		time.Sleep(2 * time.Second) // in the bubble of the case
		h.is(l.Extend(h.Context(), 0), lock.ErrNotHeld)
		if again := h.take(h.one, room); again.Fence() <= l.Fence() {
			h.Error("the fence did not rise")
		}
	}},
	{"even then not what another has", "", func(h *hotel) {
		l := h.take(h.one, room, lock.TTL(time.Second))
		time.Sleep(2 * time.Second) // in the bubble of the case
		other := h.take(h.two, room)
		h.is(l.Extend(h.Context(), 0), lock.ErrNotHeld)
		h.is(other.Check(h.Context()), nil)
	}},
	{"unlocking what has expired is an error of its own", "", func(h *hotel) {
		l := h.take(h.one, room, lock.TTL(time.Second))
		time.Sleep(time.Second) // in the bubble of the case
		h.is(l.Release(h.Context()), lock.ErrLost)
	}},
	{"Valid says whether it is still held", "", func(h *hotel) {
		l := h.take(h.one, room)
		h.is(l.Check(h.Context()), nil)
		h.is(h.two.ForceRelease(h.Context(), h.only(room)), nil)
		h.is(l.Check(h.Context()), lock.ErrNotHeld)
		h.is(l.Err(), lock.ErrLost)
	}},
	{"each lock has a value of its own", "", func(h *hotel) {
		l := h.take(h.one, room)
		h.free(l)
		if h.take(h.one, room).ID() == l.ID() {
			h.Error("the same id")
		}
	}},
	{"an ended context ends the wait between two tries", "", func(h *hotel) {
		h.take(h.one, room)
		ctx, cancel := context.WithCancel(h.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		_, err := h.two.Acquire(ctx, room)
		if h.is(err, context.Canceled); time.Since(start) != time.Second {
			h.Errorf("after %s", time.Since(start))
		}
	}},
}

var rueidisCases = []peerCase{
	{"TryWithContext refuses what is taken", "", func(h *hotel) {
		h.take(h.one, room)
		h.taken(h.one, room) // the same locker, too
		h.taken(h.two, room)
	}},
	{"many lockers wait, and each has it once", "", func(h *hotel) {
		order := h.line(20, time.Millisecond, h.free)()
		slices.Sort(order)
		if len(slices.Compact(order)) != 20 || order[0] != 0 {
			h.Errorf("%v", order)
		}
	}},
	{"a dead context is an error at once", "", func(h *hotel) {
		ctx, cancel := context.WithCancel(h.Context())
		cancel()
		for _, ask := range []func(context.Context, lock.Resource, ...lock.Option) (*lock.Lease, error){h.one.TryAcquire, h.one.Acquire} {
			_, err := ask(ctx, room)
			h.is(err, context.Canceled)
		}
		h.take(h.two, room)
	}},
	{"a context that is cancelled while waiting ends the wait", "", func(h *hotel) {
		h.take(h.one, room)
		ctx, cancel := context.WithCancelCause(h.Context())
		why := errors.New("the guest has left")
		time.AfterFunc(time.Second, func() { cancel(why) })
		_, err := h.two.Acquire(ctx, room)
		h.is(err, why)
	}},
	{"the context of the caller ends that of the lock", "and the hold stays until Release, which works under an ended context; Do releases by itself", func(h *hotel) {
		ctx, cancel := context.WithCancel(h.Context())
		l := h.take(h.one, room)
		life := l.Context(ctx)
		cancel()
		h.is(life.Err(), context.Canceled)
		h.is(l.Check(h.Context()), nil)
		h.is(l.Release(ctx), nil)
		h.is(h.one.Do(ctx, room, nil), lock.ErrInvalid)
	}},
	{"a caller's earlier deadline is that of the lock's context", "", func(h *hotel) {
		ctx, cancel := context.WithTimeout(h.Context(), time.Second)
		defer cancel()
		at, ok := h.take(h.one, room, lock.AutoRenew()).Context(ctx).Deadline()
		if !ok || time.Until(at) != time.Second {
			h.Errorf("deadline in %s", time.Until(at))
		}
	}},
	{"a lock is extended by itself for as long as it is wanted", "only with AutoRenew or Do: a request that hangs must not hold a room for ever", func(h *hotel) {
		l, plain := h.take(h.one, room, lock.AutoRenew()), h.take(h.one, lock.Key("plain"))
		time.Sleep(time.Hour) // in the bubble of the case
		h.is(l.Check(h.Context()), nil)
		h.is(plain.Err(), lock.ErrLost)
	}},
	{"a hundred locks are extended at once", "", func(h *hotel) {
		var leases []*lock.Lease
		for i := range 100 {
			leases = append(leases, h.take(h.one, lock.Key(fmt.Sprint(i)), lock.AutoRenew()))
		}
		time.Sleep(10 * minuteTTL) // in the bubble of the case
		for _, l := range leases {
			h.is(l.Err(), nil)
		}
	}},
	{"who forces gets it though it is taken, and the holder's context ends", "in two steps, of which the first is recorded with a name and a reason; a waiter may be served in between", func(h *hotel) {
		l := h.take(h.one, room, lock.AutoRenew())
		life := l.Context(h.Context())
		time.Sleep(minuteTTL) // by the second renewal the store knows where to report it
		h.is(h.two.ForceRelease(h.Context(), h.only(room), lock.Reason("the guest is ill")), nil)
		forced := h.take(h.two, room)
		start := time.Now()
		<-life.Done()
		if time.Since(start) > time.Second || context.Cause(life) != lock.ErrLost {
			h.Errorf("after %s: %v", time.Since(start), context.Cause(life))
		}
		h.is(forced.Check(h.Context()), nil)
	}},
	{"one forces one's own lock", "the same", func(h *hotel) {
		l := h.take(h.one, room)
		h.is(h.one.ForceRelease(h.Context(), h.only(room)), nil)
		h.take(h.one, room)
		h.is(l.Release(h.Context()), lock.ErrNotHeld)
	}},
	{"Close ends what is held", "", func(h *hotel) {
		l := h.take(h.one, room, lock.AutoRenew())
		life := l.Context(h.Context())
		h.is(h.one.Close(h.Context()), nil)
		h.is(life.Err(), context.Canceled)
		h.take(h.two, room)
	}},
	{"Close ends those who wait, with an error of its own", "", func(h *hotel) {
		h.take(h.two, room)
		time.AfterFunc(time.Second, func() { _ = h.one.Close(context.Background()) })
		_, err := h.one.Acquire(h.Context(), room)
		h.is(err, lock.ErrClosed)
		_, err = h.one.TryAcquire(h.Context(), room)
		h.is(err, lock.ErrClosed)
	}},
	{"what has ended leaves nothing in the process", "", func(h *hotel) {
		h.free(h.take(h.one, room, lock.AutoRenew()))
		if s := h.one.Stats(); s.Held+s.Renewing+s.Waiting != 0 {
			h.Errorf("%+v", s)
		}
	}},
}
