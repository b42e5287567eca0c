// SPDX-License-Identifier: MIT

package lock_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
)

func december(day int) time.Time { return time.Date(2026, 12, day, 0, 0, 0, 0, time.UTC) }

func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	arrival, departure := december(12), december(15)
	book := func(_ context.Context, stay lock.Resource) error {
		fmt.Println("booked", stay)
		return nil
	}

	rooms, err := lock.New(memlock.New(), lock.Config{Name: "rooms"}) // or redislock.New(client)
	if err != nil {
		log.Fatal(err)
	}
	defer rooms.Close(ctx) // releases what is held

	stay := lock.Nights("room/101", arrival, departure)
	err = rooms.TryDo(ctx, stay, func(ctx context.Context, _ *lock.Lease) error {
		return book(ctx, stay) // ctx ends when the lease is lost
	}, lock.Holder("ana"))
	if conflict, ok := errors.AsType[*lock.ConflictError](err); ok {
		fmt.Println(conflict) // another holder has an overlapping stay
	}
	fmt.Println(err)
	// Output:
	// booked room/101 [2026-12-12, 2026-12-15)
	// <nil>
}

// Two guests want the same room. The day of departure is free for an arrival.
func ExampleManager_TryAcquire() {
	ctx := context.Background()
	rooms, err := lock.New(memlock.New(), lock.Config{Name: "rooms"})
	if err != nil {
		panic(err)
	}
	defer rooms.Close(ctx)

	ada, err := rooms.TryAcquire(ctx, lock.Nights("room/101", december(12), december(15)), lock.Holder("ada"))
	fmt.Println(ada.Resource(), err)

	_, err = rooms.TryAcquire(ctx, lock.Nights("room/101", december(14), december(16)), lock.Holder("bob"))
	if conflict, ok := errors.AsType[*lock.ConflictError](err); ok {
		if first, ok := conflict.First(); ok {
			fmt.Println("taken by", first.Hold.Holder, first.Hold.Resource)
		}
	}

	bob, err := rooms.TryAcquire(ctx, lock.Nights("room/101", december(15), december(16)), lock.Holder("bob"))
	fmt.Println(bob.Resource(), err, bob.Fence() > ada.Fence())
	// Output:
	// room/101 [2026-12-12, 2026-12-15) <nil>
	// taken by ada room/101 [2026-12-12, 2026-12-15)
	// room/101 [2026-12-15, 2026-12-16) <nil> true
}

// A handler answers a conflict with the time after which it may be over.
func ExampleConflictError() {
	answer := func(w http.ResponseWriter, err error) {
		if conflict, ok := errors.AsType[*lock.ConflictError](err); ok {
			w.Header().Set("Retry-After", strconv.Itoa(int(conflict.RetryAfter().Seconds())+1))
			http.Error(w, "These nights are being booked.", http.StatusConflict)
			return
		}
		http.Error(w, "Try again in a moment.", http.StatusServiceUnavailable)
	}
	w := httptest.NewRecorder()
	answer(w, &lock.ConflictError{})
	fmt.Println(w.Code, w.Header().Get("Retry-After"))
	// Output: 409 1
}

func ExampleNew() {
	_, err := lock.New(memlock.New(), lock.Config{Name: "the rooms", TTL: time.Microsecond})
	fmt.Println(err)
	// Output:
	// lock: Config.Name is "the rooms", want 1 to 128 ASCII letters, digits, or any of _-.:/
	// lock: Config.TTL is 1µs, want 1 ms to 10 years
}

func ExampleManager_Acquire() {
	rooms, _ := lock.New(memlock.New(), lock.Config{Name: "rooms"})
	defer rooms.Close(context.Background())
	first, _ := rooms.TryAcquire(context.Background(), lock.Key("room/101"), lock.Holder("ada"))

	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	_, err := rooms.Acquire(ctx, lock.Key("room/101"))
	fmt.Println(errors.Is(err, context.DeadlineExceeded), errors.Is(err, lock.ErrConflict))

	time.AfterFunc(500*time.Millisecond, func() { _ = first.Release(context.Background()) })
	second, err := rooms.Acquire(context.Background(), lock.Key("room/101"))
	fmt.Println(second.Resource(), err, second.Waited() > 0)
	// Output:
	// true true
	// room/101 <nil> true
}

func ExampleManager_Do() {
	ctx := context.Background()
	rooms, _ := lock.New(memlock.New(), lock.Config{Name: "rooms"})
	defer rooms.Close(ctx)
	err := rooms.Do(ctx, lock.Key("room/101"), func(ctx context.Context, l *lock.Lease) error {
		fmt.Println("alone with", l.Resource(), ctx.Err())
		return nil
	})
	fmt.Println(err)
	// Output:
	// alone with room/101 <nil>
	// <nil>
}

func ExampleDo() {
	ctx := context.Background()
	rooms, _ := lock.New(memlock.New(), lock.Config{Name: "rooms"})
	defer rooms.Close(ctx)
	ref, err := lock.Do(ctx, rooms, lock.Key("room/101"), func(_ context.Context, l *lock.Lease) (string, error) {
		return "booked under a fence", nil
	})
	fmt.Println(ref, err)
	// Output: booked under a fence <nil>
}

func ExampleLease_Context() {
	ctx := context.Background()
	rooms, _ := lock.New(memlock.New(), lock.Config{Name: "rooms"})
	defer rooms.Close(ctx)
	lease, _ := rooms.TryAcquire(ctx, lock.Key("room/101"))
	work := lease.Context(ctx)
	_ = lease.Release(ctx)
	<-work.Done()
	fmt.Println(work.Err(), "because:", context.Cause(work))
	// Output: context canceled because: lock: lease released
}

func ExampleLease_Extend() {
	ctx := context.Background()
	rooms, _ := lock.New(memlock.New(), lock.Config{Name: "rooms", MaxExtensions: 1})
	defer rooms.Close(ctx)
	lease, _ := rooms.TryAcquire(ctx, lock.Key("room/101"))
	fmt.Println(lease.Extend(ctx, time.Minute))
	fmt.Println(lease.Extend(ctx, time.Minute))
	// Output:
	// <nil>
	// lock: extending room/101: lock: limit of extensions or holding time reached
}

func ExampleLease_Detach() {
	ctx := context.Background()
	store := memlock.New()
	rooms, _ := lock.New(store, lock.Config{Name: "rooms"})
	lease, _ := rooms.TryAcquire(ctx, lock.Key("room/101"))
	kept, _ := json.Marshal(lease.Detach()) // into the guest's session
	_ = rooms.Close(ctx)

	elsewhere, _ := lock.New(store, lock.Config{Name: "rooms"})
	defer elsewhere.Close(ctx)
	var ref lock.Ref
	_ = json.Unmarshal(kept, &ref)
	again, err := elsewhere.Resume(ctx, ref)
	fmt.Println(again.Resource(), again.Fence() > lease.Fence(), err)
	// Output: room/101 true <nil>
}

func ExampleManager_Holds() {
	ctx := context.Background()
	rooms, _ := lock.New(memlock.New(), lock.Config{Name: "rooms"})
	defer rooms.Close(ctx)
	_, _ = rooms.TryAcquire(ctx, lock.Nights("room/102", december(1), december(2)), lock.Holder("bob"))
	_, _ = rooms.TryAcquire(ctx, lock.Nights("room/101", december(12), december(15)), lock.Holder("ada"))
	for hold, err := range rooms.Holds(ctx, lock.Resource{}) {
		fmt.Println(hold.Resource, hold.Holder, err)
	}
	// Output:
	// room/101 [2026-12-12, 2026-12-15) ada <nil>
	// room/102 [2026-12-01, 2026-12-02) bob <nil>
}

func ExampleManager_ForceRelease() {
	ctx := context.Background()
	rooms, _ := lock.New(memlock.New(), lock.Config{Name: "rooms"})
	defer rooms.Close(ctx)
	lease, _ := rooms.TryAcquire(ctx, lock.Key("room/101"), lock.Holder("ada"))
	for hold := range rooms.Holds(ctx, lock.Key("room/101")) {
		fmt.Println(rooms.ForceRelease(ctx, hold, lock.Holder("admin"), lock.Reason("no show")))
	}
	fmt.Println(lease.Err())
	// Output:
	// <nil>
	// lock: lease lost
}

func ExampleManager_Sweep() {
	ctx := context.Background()
	trail := recorderFunc(func(e audit.Event) { fmt.Println(e.Type, e.Resource.ID) })
	rooms, _ := lock.New(memlock.New(), lock.Config{Name: "rooms", TTL: time.Second, Audit: trail})
	defer rooms.Close(ctx)
	lease, _ := rooms.TryAcquire(ctx, lock.Key("room/101"))
	lease.Detach()
	time.Sleep(time.Second) // examples run in real time
	n, err := rooms.Sweep(ctx)
	fmt.Println(n, err)
	// Output:
	// lock.acquired room/101
	// lock.expired room/101
	// 1 <nil>
}

type recorderFunc func(audit.Event)

func (f recorderFunc) Record(_ context.Context, e audit.Event) error {
	f(e)
	return nil
}

func ExampleAll() {
	ctx := context.Background()
	rooms, _ := lock.New(memlock.New(), lock.Config{Name: "rooms", Capacity: func(name string) int {
		if name == "breakfast" {
			return 40
		}
		return 1
	}})
	defer rooms.Close(ctx)
	lease, err := rooms.TryAcquire(ctx, lock.All(
		lock.Nights("room/101", december(12), december(15)),
		lock.Nights("room/102", december(12), december(15)),
		lock.Nights("breakfast", december(13), december(16)).Units(4),
	))
	fmt.Println(err)
	for part := range lease.Resource().Parts() {
		fmt.Println(part)
	}
	// Output:
	// <nil>
	// breakfast [2026-12-13, 2026-12-16) ×4
	// room/101 [2026-12-12, 2026-12-15)
	// room/102 [2026-12-12, 2026-12-15)
}

func ExampleNights() {
	stay := lock.Nights("room/101", december(12), december(15))
	next := lock.Nights("room/101", december(15), december(16))
	fmt.Println(stay, stay.Overlaps(next))
	// Output: room/101 [2026-12-12, 2026-12-15) false
}

func ExampleSpan() {
	fmt.Println(lock.Span("seats", 10, 20), lock.Span("seats", 10, 20).Overlaps(lock.Key("seats")))
	// Output: seats [10, 20) true
}

func ExampleBetween() {
	noon := december(12).Add(12 * time.Hour)
	fmt.Println(lock.Between("spa", noon, noon.Add(90*time.Minute)))
	// Output: spa [2026-12-12T12:00:00Z, 2026-12-12T13:30:00Z)
}

func ExampleKey() {
	fmt.Println(lock.Key("room/101"))
	// Output: room/101
}

func ExampleObservers() {
	log := observerFunc(func(_ context.Context, e lock.Event) { fmt.Println(e.Op, e.Result) })
	rooms, _ := lock.New(memlock.New(), lock.Config{Name: "rooms", Observer: lock.Observers(log, nil)})
	ctx := context.Background()
	lease, _ := rooms.TryAcquire(ctx, lock.Key("room/101"))
	_ = lease.Release(ctx)
	_ = rooms.Close(ctx)
	// Output:
	// created success
	// acquire success
	// release success
	// closed success
}
