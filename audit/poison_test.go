// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
)

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
