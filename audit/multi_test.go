// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// marked is how many events the marks among events stand for.
func marked(events []Event) (n int) {
	for _, e := range events {
		if e.Type == TypeDropped {
			var lost int
			text, _ := e.Details.Get("n")
			fmt.Sscan(fmt.Sprint(text), &lost)
			n += lost
		}
	}
	return n
}

// hung is a sink that answers nothing, deaf to its context, until release.
func hung(release <-chan struct{}) *scripted {
	return newScripted(func(int, context.Context, []Event) error { <-release; return nil })
}

func TestASlowSinkCostsItsNeighbourNothing(t *testing.T) {
	for _, slowness := range []time.Duration{0, 200 * time.Millisecond, 900 * time.Millisecond, 3 * time.Second, time.Hour} {
		t.Run(slowness.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slow := newScripted(func(int, context.Context, []Event) error { time.Sleep(slowness); return nil })
				instant := newScripted(always(nil))
				l := newLog(t, Multi(slow, instant), Config{Queue: 100, MaxBatch: 10, Linger: -1})
				for i := range 300 {
					start := time.Now()
					mustRecord(t, l, 1)
					if waited := time.Since(start); waited != 0 {
						t.Fatalf("event %d waited %s", i, waited)
					}
					time.Sleep(time.Millisecond)
					if n := len(instant.Events()); n != i+1 {
						t.Fatalf("the neighbour has %d of %d events", n, i+1)
					}
				}
				mustClose(t, l)
			})
		})
	}
}

func TestAHungSinkIsNamedByHealthAndGetsItsQueueLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		stuck, well := hung(release), newScripted(always(nil))
		l := newLog(t, Multi(well, stuck), Config{Queue: 100, MaxBatch: 10, Linger: -1})
		mustRecord(t, l, 100)
		time.Sleep(time.Minute)
		if err := l.Healthy(); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "audit/2") || strings.Contains(err.Error(), "audit/1") {
			t.Errorf("health: %v, want it to name the hung sink alone", err)
		}
		if n := len(stuck.sizes()); n != 1 {
			t.Errorf("%d writes at the same time to a sink that hangs, want one", n)
		}
		if got := l.Stats(); got.Recorded != 200 || got.Written != 100 || got.Queued != 100 || got.Capacity != 200 || got.OldestPending != time.Minute {
			t.Errorf("stats %+v, want the sums over both sinks", got)
		}
		close(release)
		mustClose(t, l)
		wantTrail(t, stuck.Events(), numbers(100)...)
	})
}

func TestThePolicyAppliesWhenEverySinkIsFull(t *testing.T) {
	for policy, want := range map[FullPolicy]error{Block: ErrFull, DropNewest: ErrFull, DropOldest: nil} {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			a, b := hung(release), hung(release)
			l := newLog(t, Multi(a, b), Config{Queue: 4, MaxBatch: 1, Linger: -1, WhenFull: policy})
			mustRecord(t, l, 1)
			synctest.Wait()
			for _, r := range []string{"1", "2", "3"} {
				recordReason(t, l, r, nil)
			}
			recordReason(t, l, "4", want)
			close(release)
			mustClose(t, l)
			trail := []string{"0", "1", "2", "3", "dropped 1 queue_full"}
			if policy == DropOldest {
				trail = []string{"0", "dropped 1 queue_full", "2", "3", "4"}
			}
			wantTrail(t, a.Events(), trail...)
			wantTrail(t, b.Events(), trail...)
		})
	}
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
		lost := marked(stuck.Events())
		if lost == 0 || len(reported) != lost || reported[0] != "audit/1 queue_full" {
			t.Errorf("marks of %d lost events, %d reported: %v", lost, len(reported), reported)
		}
		if stored := len(stuck.Events()) - 1; stored+lost != 40 || l.Stats().Dropped[QueueFull] != uint64(lost) {
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

func TestAnEventThatSeveralSinksLoseIsNamedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		l := newLog(t, Multi(hung(release), hung(release)), Config{})
		mustRecord(t, l, 2)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		err := l.Close(ctx)
		loss, ok := errors.AsType[*LossError](err)
		if !ok || len(loss.IDs) != 2 || loss.InDoubt != 2 || !strings.Contains(err.Error(), "audit/1: ") || !strings.Contains(err.Error(), "audit/2: ") {
			t.Errorf("close: %v, want two events, and why for each sink", err)
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

func TestAnOutageOfAllSinksLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newScripted(always(errDown)), newScripted(always(errDown))
		l := newLog(t, Multi(a, b), Config{Queue: 50, MaxBatch: 10, WhenFull: DropNewest})
		mustRecord(t, l, 50)
		time.Sleep(10 * time.Minute)
		// The pauses are random, 15 s in the mean: 48 tries, give or take 4.
		if n := max(len(a.sizes()), len(b.sizes())); n > 48+8*4 {
			t.Errorf("%d tries in ten minutes, want about 48", n)
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

func TestTheStatsOfAMultiAreTheSumsAndExtremesOfItsSinks(t *testing.T) {
	for later := range 2 { // which sink has a later success
		synctest.Test(t, func(t *testing.T) {
			sinks := []*gated{newGated(), newGated()}
			l := newLog(t, Multi(sinks[0], sinks[1]), Config{Queue: 8, MaxBatch: 1, Linger: -1, WhenFull: DropNewest})
			sinks[0].open.Store(true)
			sinks[1].open.Store(true)
			mustRecord(t, l, 3)
			time.Sleep(time.Second)
			sinks[1-later].open.Store(false)
			mustRecord(t, l, 1)
			time.Sleep(time.Second)
			sinks[later].open.Store(false)
			for range 20 {
				_ = l.Record(t.Context(), Event{Type: "ok"})
			}
			time.Sleep(time.Minute)
			got := l.Stats()
			a, b := l.lanes[0].Stats(), l.lanes[1].Stats()
			for what, n := range map[string][3]uint64{
				"Queued": {uint64(a.Queued), uint64(b.Queued), uint64(got.Queued)}, "Capacity": {uint64(a.Capacity), uint64(b.Capacity), uint64(got.Capacity)},
				"QueuedBytes": {uint64(a.QueuedBytes), uint64(b.QueuedBytes), uint64(got.QueuedBytes)}, "Recorded": {a.Recorded, b.Recorded, got.Recorded},
				"Written": {a.Written, b.Written, got.Written}, "Retries": {a.Retries, b.Retries, got.Retries},
				"Dropped": {a.Dropped[QueueFull], b.Dropped[QueueFull], got.Dropped[QueueFull]},
			} {
				if n[0] == 0 || n[1] == 0 || n[0]+n[1] != n[2] {
					t.Errorf("%s: %d and %d are %d", what, n[0], n[1], n[2])
				}
			}
			earliest := l.lanes[1-later].Stats().LastSuccess
			if !earliest.Before(l.lanes[later].Stats().LastSuccess) || !got.LastSuccess.Equal(earliest) {
				t.Errorf("the last success is %s, want the earliest of %s and %s", got.LastSuccess, a.LastSuccess, b.LastSuccess)
			}
			_ = quit(t, l)
		})
	}
}

func TestTheOldestEventHasItsAgeAlsoBeforeItIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog(t, NewMemory(), Config{Linger: 10 * time.Second, MaxBatch: 100})
		mustRecord(t, l, 1)
		time.Sleep(5 * time.Second)
		if got := l.Stats().OldestPending; got != 5*time.Second {
			t.Errorf("the oldest is pending for %s, want 5s", got)
		}
		mustClose(t, l)
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

// A sink that falls behind by more than its queue, or refuses events, misses
// them and says how many.
func TestEveryAcceptedEventIsInEverySinkOrMarkedThere(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			moody := func(_ int, _ context.Context, _ []Event) error {
				time.Sleep(rand.N(20 * time.Millisecond))
				if rand.N(3) == 0 {
					return errDown
				}
				return nil
			}
			sinks := []*scripted{newScripted(moody), newScripted(poisonous), newScripted(always(nil))}
			l := newLog(t, Multi(sinks[0], sinks[1], sinks[2]), Config{
				Queue: 16, MaxBatch: 4, Linger: -1, WhenFull: FullPolicy(rand.N(3)), Retry: Backoff{Base: time.Millisecond, Max: 10 * time.Millisecond},
			})
			var all sync.WaitGroup
			var seen atomic.Int64 // accepted or refused: a refused event is marked, too
			for range 4 {
				all.Go(func() {
					for range 50 {
						kind := "ok"
						if rand.N(20) == 0 {
							kind = "bad"
						}
						_ = l.Record(t.Context(), Event{Type: kind})
						seen.Add(1)
						time.Sleep(rand.N(2 * time.Millisecond))
					}
				})
			}
			_ = l.Flush(t.Context())
			all.Wait()
			_ = l.Close(t.Context())
			for i, sink := range sinks {
				stored := 0
				for _, e := range sink.Events() {
					if e.Type != TypeDropped {
						stored++
					}
				}
				if n := int(seen.Load()); stored+marked(sink.Events()) != n {
					t.Fatalf("sink %d: %d events stored and %d marked of %d", i+1, stored, marked(sink.Events()), n)
				}
			}
			if s := l.Stats(); s.Queued != 0 || s.QueuedBytes != 0 {
				t.Errorf("stats %+v after Close, want nothing queued", s)
			}
		})
	}
}
