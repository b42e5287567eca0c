// SPDX-License-Identifier: MIT

package observe_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/holdfast-go/holdfast/internal/observe"
	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestContainCountsAPanicAndGoesOn(t *testing.T) {
	var panics atomic.Uint64
	observe.Contain(&panics, func() { panic("boom") })
	observe.Contain(&panics, func() { panic(nil) })
	observe.Contain(&panics, func() {})
	if got := panics.Load(); got != 2 {
		t.Errorf("counted %d panics, want 2", got)
	}
}

func TestOutboxDeliversToOneAtATimeInOrderUnderLoad(t *testing.T) {
	const writers, each = 8, 500
	var (
		state  sync.Mutex // stands for the observed thing's own lock
		next   int
		inside atomic.Int32
		got    []int
	)
	o := observe.NewOutbox(func(_ context.Context, i int) {
		if inside.Add(1) != 1 {
			t.Error("two deliveries at once")
		}
		got = append(got, i)
		inside.Add(-1)
	})
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				state.Lock()
				o.Put(context.Background(), next)
				next++
				state.Unlock()
				o.Drain()
			}
		})
	}
	wg.Wait()
	o.Drain()
	if len(got) != writers*each || !slices.IsSorted(got) {
		t.Errorf("delivered %d events, sorted: %v; want all %d in order", len(got), slices.IsSorted(got), writers*each)
	}
}

func TestAnObserverMayCallBack(t *testing.T) {
	var got []int
	var o *observe.Outbox[int]
	o = observe.NewOutbox(func(ctx context.Context, i int) {
		got = append(got, i)
		if i < 3 {
			o.Put(ctx, i+1)
			o.Drain()
		}
	})
	o.Put(t.Context(), 0)
	o.Drain()
	if want := []int{0, 1, 2, 3}; !slices.Equal(got, want) {
		t.Errorf("delivered %v, want %v", got, want)
	}
}

func TestAnObserverThatEndsItsGoroutineStopsNoOther(t *testing.T) {
	var got []int
	o := observe.NewOutbox(func(_ context.Context, i int) {
		if i == 0 {
			runtime.Goexit()
		}
		got = append(got, i)
	})
	for _, event := range []int{0, 1, 0, 0, 2} {
		o.Put(t.Context(), event)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		o.Drain()
	}()
	<-done
	if !slices.Equal(got, []int{1, 2}) {
		t.Errorf("delivered %v although others ended the goroutine, want [1 2]", got)
	}
	o.Put(t.Context(), 3)
	o.Drain()
	if !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("delivered %v after that, want [1 2 3]", got)
	}
}

func TestTheContextOfAnEventReachesTheObserver(t *testing.T) {
	type key struct{}
	var got any
	o := observe.NewOutbox(func(ctx context.Context, _ int) { got = ctx.Value(key{}) })
	o.Put(context.WithValue(t.Context(), key{}, "trace"), 1)
	o.Drain()
	if got != "trace" {
		t.Errorf("the observer saw %v", got)
	}
}

func TestNilObserversAreDropped(t *testing.T) {
	var absent *strings.Builder
	var one strings.Builder
	if got := observe.Present([]fmt.Stringer{nil, &one, absent}); len(got) != 1 || got[0] != &one {
		t.Errorf("present are %v", got)
	}
}

func TestEachGoesOnAfterAPanicAndAGoexit(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic("boom") }, "Goexit": runtime.Goexit} {
		var got []int
		var panics atomic.Uint64
		done := make(chan struct{})
		go func() {
			defer close(done)
			observe.Contain(&panics, func() {
				observe.Each([]int{1, 2, 3}, func(i int) {
					got = append(got, i)
					if i == 1 {
						end()
					}
				})
			})
		}()
		<-done
		if want := []int{1, 2, 3}; !slices.Equal(got, want) {
			t.Errorf("%s in the first: called with %v, want %v", name, got, want)
		}
	}
}
