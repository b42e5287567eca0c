// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// hung is a sink that answers nothing, deaf to its context, until release.
func hung(release <-chan struct{}) *scripted {
	return newScripted(func(int, context.Context, []Event) error { <-release; return nil })
}

func TestAHungSinkHoldsUpNoNeighbour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		stuck, well := hung(release), newScripted(always(nil))
		l := newLog(t, Multi(stuck, well), Config{Queue: 100, MaxBatch: 10, Linger: -1})
		start := time.Now()
		mustRecord(t, l, 80)
		time.Sleep(2 * time.Second)
		wantTrail(t, well.Events(), numbers(80)...)
		mustRecord(t, l, 20)
		time.Sleep(time.Millisecond)
		if n := len(well.Events()); n != 100 {
			t.Errorf("the neighbour has %d events after %s, want all 100: once left behind, a sink is waited for no more", n, time.Since(start))
		}
		time.Sleep(time.Minute)
		if err := l.Healthy(); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "audit/1") || strings.Contains(err.Error(), "audit/2") {
			t.Errorf("health: %v, want it to name the hung sink alone", err)
		}
		if n := len(stuck.sizes()); n != 1 {
			t.Errorf("%d writes at the same time to a sink that hangs, want one", n)
		}
		close(release)
		mustClose(t, l)
		wantTrail(t, stuck.Events(), slices.Concat(numbers(80), numbers(20))...)
	})
}

func TestWaitingForASinkThatIsLeftBehindLeavesNothingThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		l := newLog(t, Multi(hung(release), newScripted(always(nil))), Config{Queue: 1000, MaxBatch: 1, Linger: -1})
		for range 100 {
			mustRecord(t, l, 1)
			time.Sleep(2 * time.Second)
		}
		for i, lane := range l.lanes.logs {
			lane.mu.Lock()
			if n := len(lane.flushes); n > 1 {
				t.Errorf("%d waits are left in lane %d after 100 batches", n, i+1)
			}
			lane.mu.Unlock()
		}
		close(release)
	})
}

func TestASinkLeftBehindForTooLongMissesTheOldestAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		stuck, well := hung(release), newScripted(always(nil))
		var reported []string
		var mu sync.Mutex
		l := newLog(t, Multi(stuck, well), Config{Queue: 10, MaxBatch: 5, Linger: -1, Observer: observerFunc(func(_ context.Context, a Activity) {
			mu.Lock()
			defer mu.Unlock()
			if a.Op == OpRecord {
				reported = append(reported, fmt.Sprint(a.Source.Name(), " ", a.Drop))
			}
		})})
		for i := range 4 {
			mustRecord(t, l, 10)
			time.Sleep(time.Minute)
			if n := len(well.Events()); n != 10*(i+1) {
				t.Fatalf("the neighbour has %d events, want all of %d", n, 10*(i+1))
			}
		}
		close(release)
		err := l.Close(t.Context())
		if err != nil {
			t.Errorf("close: %v, want nil: what was dropped was dropped before", err)
		}
		lost := 0
		for _, e := range stuck.Events() {
			if e.Type == TypeDropped {
				var n int
				got, _ := e.Details.Get("n")
				fmt.Sscan(fmt.Sprint(got), &n)
				lost += n
			}
		}
		if lost == 0 || len(reported) != lost || reported[0] != "audit/1 queue_full" {
			t.Errorf("marks of %d lost events, %d reported: %v", lost, len(reported), reported)
		}
		if stored := len(stuck.Events()) - 1; stored+lost != 40 {
			t.Errorf("%d stored and %d marked as lost, want 40 in all", stored, lost)
		}
	})
}

func TestFlushAndCloseAreAboutAllSinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		stuck, well := hung(release), newScripted(always(nil))
		l := newLog(t, Multi(stuck, well), Config{})
		ids := []ID{NewID(), NewID(), NewID()}
		for _, id := range ids {
			if err := l.Record(t.Context(), Event{ID: id, Type: "ok"}); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := l.Flush(ctx); !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("flush with a hung sink: %v, want ErrUnavailable", err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		err := l.Close(ctx)
		loss, ok := errors.AsType[*LossError](err)
		if !ok || !slices.Equal(loss.IDs, ids) || loss.InDoubt != 3 || !strings.Contains(err.Error(), "audit/1") {
			t.Errorf("close: %v, want the three events that the hung sink was given", err)
		}
		if n := len(well.Events()); n != 3 {
			t.Errorf("the neighbour has %d events, want 3", n)
		}
		if again := l.Close(t.Context()); again != err {
			t.Errorf("a second close: %v, want the same answer", again)
		}
	})
}

func TestALossIsCountedOnceForTheLogAndOnceForEachSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		l := newLog(t, Multi(hung(release), hung(release)), Config{})
		mustRecord(t, l, 2)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := l.Close(ctx); err == nil || strings.Count(err.Error(), "2 events lost") != 3 {
			t.Errorf("close: %v, want the number of lost events three times", err)
		}
	})
}

func TestWhatOneSinkRefusesForGoodIsMarkedThereAndReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fussy, well, letters := newScripted(poisonous), newScripted(always(nil)), NewMemory()
		l := newLog(t, Multi(fussy, well), Config{DeadLetter: letters})
		bad := NewID()
		mustRecord(t, l, 2)
		if err := l.Record(t.Context(), Event{ID: bad, Type: "bad", Reason: "2"}); err != nil {
			t.Fatal(err)
		}
		loss, ok := errors.AsType[*LossError](l.Flush(t.Context()))
		if !ok || !slices.Equal(loss.IDs, []ID{bad}) || !errors.Is(loss, ErrPermanent) {
			t.Errorf("flush: %v, want the loss of the one", loss)
		}
		mustClose(t, l)
		wantTrail(t, fussy.Events(), "0", "1", "dropped 1 poisoned")
		wantTrail(t, well.Events(), "0", "1", "2")
		wantTrail(t, letters.Events(), "2")
	})
}

// While no sink works, the outer queue holds the events, and there are no more
// tries than without it.
func TestAnOutageOfAllSinksLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newScripted(always(errDown)), newScripted(always(errDown))
		l := newLog(t, Multi(a, b), Config{Queue: 50, MaxBatch: 10, WhenFull: DropNewest})
		mustRecord(t, l, 50)
		time.Sleep(10 * time.Minute)
		if n := max(len(a.sizes()), len(b.sizes())); n > 60 {
			t.Errorf("%d tries in ten minutes, want a few dozen", n)
		}
		if s := l.Stats(); s.Written != 0 {
			t.Errorf("%d events count as written, want none", s.Written)
		}
		synctest.Wait()
		a.plan, b.plan = always(nil), always(nil)
		mustClose(t, l)
		wantTrail(t, a.Events(), numbers(50)...)
		wantTrail(t, b.Events(), numbers(50)...)
	})
}

func TestWithoutALogMultiStoresEverywhereOrFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		stuck, well := hung(release), NewMemory()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := Direct(Multi(stuck, well)).Record(ctx, Event{Type: "ok"}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("one of two sinks hangs: %v, want ErrUnavailable", err)
		}
		if len(well.Events()) != 1 {
			t.Error("the neighbour was not given the event")
		}
		close(release)
	})
}

// A sink that spoils what it is given spoils it for itself.
func TestASinkThatChangesTheBatchChangesItForNobodyElse(t *testing.T) {
	spoiler := sinkFunc(func(_ context.Context, batch []Event) error { clear(batch); return nil })
	for range 20 {
		m := NewMemory()
		if err := Direct(Multi(spoiler, m, spoiler)).Record(t.Context(), Event{Type: "ok", Reason: "0"}); err != nil {
			t.Fatal(err)
		}
		l := newLog(t, Multi(spoiler, m, spoiler), Config{})
		recordReason(t, l, "1", nil)
		mustClose(t, l)
		wantTrail(t, m.Events(), "0", "1")
	}
}

func TestMultiOfOneOrOfMultis(t *testing.T) {
	m := NewMemory()
	if got := Multi(m); got != Sink(m) {
		t.Errorf("Multi of one is %T", got)
	}
	if got := Multi(Multi(m, m), m).(multi); len(got) != 3 {
		t.Errorf("nested ones count %d sinks, want 3", len(got))
	}
	yes := func(Event) bool { return true }
	if got, ok := Filter(Multi(m, m), yes).(multi); !ok || len(got) != 2 {
		t.Error("around a Multi, Filter takes away the isolation")
	}
}

func TestEveryAcceptedEventIsInEverySink(t *testing.T) {
	for range 100 {
		a, b := NewMemory(), NewMemory()
		l := newLog(t, Multi(a, b), Config{Queue: 16, MaxBatch: 4, Linger: -1})
		var flushing, recording sync.WaitGroup
		var mu sync.Mutex
		n := 0
		for range 4 {
			recording.Go(func() {
				for l.Record(context.Background(), Event{Type: "ok"}) == nil {
					mu.Lock()
					n++
					mu.Unlock()
				}
			})
		}
		flushing.Go(func() { _ = l.Flush(context.Background()) })
		flushing.Wait()
		mustClose(t, l)
		recording.Wait()
		if len(a.Events()) != n || len(b.Events()) != n {
			t.Fatalf("%d and %d events stored of %d", len(a.Events()), len(b.Events()), n)
		}
	}
}
