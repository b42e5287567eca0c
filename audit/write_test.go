// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestFailedBatchIsWrittenAgainWithTheSameIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries [][]Event
		s := newScripted(func(n int, _ context.Context, batch []Event) error {
			tries = append(tries, slices.Clone(batch))
			if n < 3 {
				return errDown
			}
			return nil
		})
		l := newLog(t, s, Config{})
		mustRecord(t, l, 5)
		mustClose(t, l)
		for _, batch := range tries {
			if !slices.Equal(batch, tries[0]) {
				t.Error("a try had other events than the first")
			}
		}
		if got := l.Stats(); got.Retries != 3 || got.Written != 5 {
			t.Errorf("stats %+v, want 3 retries and 5 written", got)
		}
		wantTrail(t, s.Events(), numbers(5)...)
	})
}

// The sink stores the batch and its answer gets lost: the id absorbs it.
func TestLostAnswerStoresOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		calls := 0
		l := newLog(t, sinkFunc(func(ctx context.Context, batch []Event) error {
			calls++
			_ = m.Write(ctx, batch)
			if calls == 1 {
				return errDown
			}
			return nil
		}), Config{})
		mustRecord(t, l, 3)
		mustClose(t, l)
		wantTrail(t, m.Events(), numbers(3)...)
	})
}

func TestOutageCausesFewTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted(always(errDown))
		l := newLog(t, s, Config{WhenFull: DropNewest, Queue: 600})
		for range 10 * 60 {
			_ = l.Record(t.Context(), Event{Type: "ok"})
			time.Sleep(time.Second)
		}
		// Full jitter up to 30 s: 15 s on average, and about ten tries on the way up.
		if n := len(s.sizes()); n > 120 {
			t.Errorf("%d tries in ten minutes, want a few dozen", n)
		}
		if err := l.Healthy(); !errors.Is(err, ErrUnavailable) || !errors.Is(err, errDown) {
			t.Errorf("health in an outage: %v, want ErrUnavailable and the sink's error", err)
		}
		if l.Stats().OldestPending < 9*time.Minute {
			t.Errorf("oldest pending %s, want about ten minutes", l.Stats().OldestPending)
		}
		s.plan = always(nil)
		mustClose(t, l)
		if err := l.Healthy(); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
}

func TestWriteTimeoutEndsATry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted(func(n int, ctx context.Context, _ []Event) error {
			if n == 0 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})
		l := newLog(t, s, Config{WriteTimeout: 2 * time.Second, Linger: -1})
		start := time.Now()
		mustRecord(t, l, 1)
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 2*time.Second || took > 3*time.Second {
			t.Errorf("the second try came after %s, want about 2s", took)
		}
		mustClose(t, l)
	})
}

func TestHungSinkIsUnhealthyAndItsLateAnswerCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted(func(n int, _ context.Context, _ []Event) error { time.Sleep(time.Minute); return nil })
		l := newLog(t, s, Config{WriteTimeout: time.Second, Linger: -1})
		mustRecord(t, l, 1)
		time.Sleep(30 * time.Second)
		if err := l.Healthy(); !errors.Is(err, ErrUnavailable) {
			t.Errorf("health with a sink that hangs: %v, want ErrUnavailable", err)
		}
		if n := len(s.sizes()); n != 1 {
			t.Errorf("%d writes at the same time, want one in flight", n)
		}
		mustClose(t, l)
		if got := l.Stats(); got.Written != 1 || got.Retries != 0 {
			t.Errorf("stats %+v, want the late answer to count", got)
		}
	})
}

// misbehaviours are what a sink does at its first call instead of storing.
var misbehaviours = map[string]func(int, context.Context, []Event) error{
	"fails":            always(errDown),
	"panics":           func(int, context.Context, []Event) error { panic("canary") },
	"exits":            func(int, context.Context, []Event) error { runtime.Goexit(); return nil },
	"names no failure": always(&BatchError{}),
	"names strangers":  always(&BatchError{Failed: map[ID]error{NewID(): errDown}}),
	"changes the batch": func(_ int, _ context.Context, batch []Event) error {
		clear(batch)
		return errDown
	},
}

func TestMisbehavingSinkLosesNothing(t *testing.T) {
	for name, does := range misbehaviours {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScripted(func(n int, ctx context.Context, batch []Event) error {
					if n == 0 {
						return does(n, ctx, batch)
					}
					return nil
				})
				var reported []error
				l := newLog(t, s, Config{Observer: observerFunc(func(_ context.Context, a Activity) {
					if a.Op == OpWrite {
						reported = append(reported, a.Err)
					}
				})})
				mustRecord(t, l, 4)
				mustClose(t, l)
				wantTrail(t, s.Events(), numbers(4)...)
				if reported[0] == nil || strings.Contains(reported[0].Error(), "canary") {
					t.Errorf("the first try was reported as %v, want an error without what the panic said", reported[0])
				}
			})
		})
	}
}

func TestSpentRetriesDropTheBatchAndMarkIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted(func(n int, _ context.Context, _ []Event) error {
			if n < 4 { // two batches of two tries each
				return errDown
			}
			return nil
		})
		l := newLog(t, s, Config{Retry: Backoff{Tries: 2}, MaxBatch: 3, Linger: -1})
		l.mu.Lock()
		for i := range 7 {
			e := Event{Type: "ok", Reason: numbers(7)[i], Time: time.Now()}
			l.accept(&e, size(&e), time.Now())
		}
		l.mu.Unlock()
		time.Sleep(time.Minute)
		mustClose(t, l)
		// The second batch was the mark of the first and two or three events.
		got := trail(s.Events())
		if len(got) < 2 || !strings.HasSuffix(got[0], "retries_spent") {
			t.Fatalf("the trail is %q, want it to begin with one mark", got)
		}
		stats := l.Stats()
		if n := stats.Dropped[RetriesSpent]; got[0] != fmt.Sprintf("dropped %d retries_spent", n) || stats.Written+n != 7 || int(stats.Written) != len(got)-1 {
			t.Errorf("the trail is %q with stats %+v, want one mark for all that were dropped", got, stats)
		}
	})
}

func TestFlushReportsWhatWasLostMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog(t, newScripted(poisonous), Config{})
		bad := NewID()
		mustRecord(t, l, 3)
		if err := l.Record(t.Context(), Event{ID: bad, Type: "bad"}); err != nil {
			t.Fatal(err)
		}
		err := l.Flush(t.Context())
		loss, ok := errors.AsType[*LossError](err)
		if !ok || !slices.Equal(loss.IDs, []ID{bad}) || !errors.Is(err, ErrPermanent) {
			t.Errorf("flush: %v, want the loss of %s", err, bad)
		}
		if err := l.Flush(t.Context()); err != nil {
			t.Errorf("a second flush: %v, want nil: nothing more was lost", err)
		}
		mustClose(t, l)
	})
}

func TestPauseGrowsToItsBound(t *testing.T) {
	b := Backoff{Base: time.Second, Max: 10 * time.Second}
	for failures, limit := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 4: 8 * time.Second, 5: 10 * time.Second, 1000: 10 * time.Second} {
		longest := time.Duration(0)
		for range 1000 {
			longest = max(longest, b.pause(failures))
		}
		if longest >= limit || longest < limit*9/10 {
			t.Errorf("after %d failures up to %s, want spread over %s", failures, longest, limit)
		}
	}
}

// recordWithBad records n events, of type "bad" where bad says so.
func recordWithBad(t *testing.T, l *Log, n int, bad ...int) {
	t.Helper()
	for i := range n {
		e := Event{Type: "ok", Reason: fmt.Sprint(i)}
		if slices.Contains(bad, i) {
			e.Type = "bad"
		}
		if err := l.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPoisonEventIsFoundMarkedAndLeftOut(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 100, 511, 512} {
		for _, bad := range [][]int{{0}, {n - 1}, {n / 2}, {n / 3, n / 3 * 2}} {
			bad = slices.Compact(bad)
			t.Run(fmt.Sprint(n, bad), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, letters := newScripted(poisonous), NewMemory()
					l := newLog(t, s, Config{DeadLetter: letters})
					recordWithBad(t, l, n, bad...)
					// A full batch goes at once, so its loss may come before Close.
					if _, ok := errors.AsType[*LossError](l.Close(t.Context())); !ok && n < 512 {
						t.Error("close does not report the loss")
					}
					want := numbers(n)
					for _, i := range bad {
						want[i] = "dropped 1 poisoned"
					}
					wantTrail(t, s.Events(), want...)
					if len(letters.Events()) != len(bad) {
						t.Errorf("dead letters %v, want %d", letters.Events(), len(bad))
					}
					if got := l.Stats(); got.Dropped[Poisoned] != uint64(len(bad)) || got.Written != uint64(n-len(bad)) {
						t.Errorf("stats %+v", got)
					}
					if len(s.sizes()) > 20*len(bad) {
						t.Errorf("%d writes to find %d of %d, want at most 20 for each", len(s.sizes()), len(bad), n)
					}
				})
			})
		}
	}
}

func TestOutageInTheMiddleOfTheHuntLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted(func(n int, ctx context.Context, batch []Event) error {
			if n%3 == 1 {
				return errDown
			}
			return poisonous(n, ctx, batch)
		})
		l := newLog(t, s, Config{})
		recordWithBad(t, l, 16, 11)
		_ = l.Close(t.Context())
		want := numbers(16)
		want[11] = "dropped 1 poisoned"
		wantTrail(t, s.Events(), want...)
	})
}

func TestPartialAnswerIsBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		calls := 0
		l := newLog(t, sinkFunc(func(ctx context.Context, batch []Event) error {
			calls++
			if calls > 1 {
				return m.Write(ctx, batch)
			}
			failed := map[ID]error{}
			for i, e := range batch {
				switch i {
				case 1:
					failed[e.ID] = errDown
				case 3:
					failed[e.ID] = fmt.Errorf("no: %w", ErrPermanent)
				default:
					_ = m.Write(ctx, []Event{e})
				}
			}
			return &BatchError{Failed: failed}
		}), Config{})
		mustRecord(t, l, 5)
		loss, ok := errors.AsType[*LossError](l.Close(t.Context()))
		if !ok || len(loss.IDs) != 1 {
			t.Errorf("close: %v, want the loss of one", loss)
		}
		wantTrail(t, m.Events(), "0", "2", "4", "1", "dropped 1 poisoned")
		if got := l.Stats(); calls != 2 || got.Written != 4 || got.Dropped[Poisoned] != 1 || got.Queued != 0 {
			t.Errorf("%d calls, stats %+v", calls, got)
		}
	})
}

func TestSinkThatRefusesEverythingEndsUnhealthyNotStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted(always(ErrPermanent))
		broken := sinkFunc(func(context.Context, []Event) error { panic("the dead letters, too") })
		l := newLog(t, s, Config{DeadLetter: broken})
		mustRecord(t, l, 10)
		_ = l.Flush(t.Context())
		if err := l.Healthy(); !errors.Is(err, ErrPermanent) {
			t.Errorf("health: %v, want ErrPermanent", err)
		}
		if got := l.Stats(); got.Dropped[Poisoned] != 10 || got.Queued != 0 {
			t.Errorf("stats %+v, want all 10 poisoned", got)
		}
		mustClose(t, l)
	})
}

func TestMarkThatIsRefusedInAPartialAnswerIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog(t, sinkFunc(func(_ context.Context, batch []Event) error {
			failed := map[ID]error{}
			for _, e := range batch {
				failed[e.ID] = ErrPermanent
			}
			return &BatchError{Failed: failed}
		}), Config{})
		mustRecord(t, l, 2)
		loss, ok := errors.AsType[*LossError](l.Close(t.Context()))
		if !ok || len(loss.IDs) != 2 {
			t.Errorf("close: %v, want the loss of both", loss)
		}
	})
}
