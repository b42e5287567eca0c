// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

type observerFunc func(context.Context, Activity)

func (f observerFunc) ObserveAudit(ctx context.Context, a Activity) { f(ctx, a) }

func TestObserverSeesActivitiesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		var source Source
		l := newLog(t, NewMemory(), Config{Name: "trail", Observer: observerFunc(func(_ context.Context, a Activity) {
			source = a.Source
			seen = append(seen, fmt.Sprint(a.Op, " ", a.Drop, " ", a.Events, " ", a.Err != nil))
		})})
		mustRecord(t, l, 2)
		_ = l.Record(t.Context(), Event{})
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		mustClose(t, l)
		_ = l.Record(t.Context(), Event{Type: "late"})
		synctest.Wait()
		want := []string{
			"created none 0 false", "record invalid 1 true", "write none 3 false", "flush none 0 false",
			"closed none 0 false", "record after_close 1 true",
		}
		if !slices.Equal(seen, want) {
			t.Errorf("seen %q, want %q", seen, want)
		}
		if source.Name() != "trail" || source.Stats().Recorded != 2 {
			t.Errorf("the source is %v", source)
		}
	})
}

func TestAStuckObserverHoldsUpNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		m, calls := NewMemory(), 0
		l := newLog(t, m, Config{Linger: -1, Observer: Observers(
			observerFunc(func(context.Context, Activity) { <-release }),
			observerFunc(func(context.Context, Activity) { calls++ }),
		)})
		start := time.Now()
		mustRecord(t, l, 10)
		for range 10 {
			if err := l.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 * mailboxSize {
			_ = l.Record(t.Context(), Event{})
			synctest.Wait()
		}
		mustClose(t, l)
		if took := time.Since(start); took != 0 {
			t.Errorf("recording, flushing and closing took %s, want no time: New has waited for the stuck observer once", took)
		}
		wantTrail(t, m.Events()[:10], numbers(10)...)
		if missed := l.Stats().ObserverMissed; calls < 2*mailboxSize || missed < mailboxSize || missed > uint64(calls) {
			t.Errorf("the neighbour was called %d times, and the stuck one missed %d", calls, missed)
		}
		close(release)
	})
}

func TestAnObserverMayFlushAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l *Log
		closed := make(chan error, 1)
		l = newLog(t, NewMemory(), Config{Observer: observerFunc(func(ctx context.Context, a Activity) {
			if a.Op == OpWrite {
				closed <- errors.Join(l.Flush(context.Background()), l.Close(context.Background()))
			}
		})})
		mustRecord(t, l, 1)
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}

func TestPanickingObserverAndEnrichAreContainedAndCounted(t *testing.T) {
	m := NewMemory()
	calls := 0
	l := newLog(t, m, Config{
		Observer: Observers(nil, observerFunc(nil), observerFunc(func(context.Context, Activity) { panic("observer") }),
			observerFunc(func(context.Context, Activity) { calls++ })),
		Enrich: func(_ context.Context, e *Event) {
			e.Reason = "half done"
			panic("enrich")
		},
	})
	mustRecord(t, l, 1)
	mustClose(t, l)
	wantTrail(t, m.Events(), "0")
	if n := l.Stats().ObserverPanics; n != 4 || calls != 3 {
		t.Errorf("%d panics counted and the other observer called %d times; want 4 (created, enrich, write, closed) and 3", n, calls)
	}
}

func TestEnrichAddsWhatTheContextKnows(t *testing.T) {
	type key struct{}
	m := NewMemory()
	l := newLog(t, m, Config{Enrich: func(ctx context.Context, e *Event) { e.TraceID, _ = ctx.Value(key{}).(string) }})
	if err := l.Record(context.WithValue(t.Context(), key{}, "abc"), Event{Type: "ok"}); err != nil {
		t.Fatal(err)
	}
	mustClose(t, l)
	if got := m.Events()[0].TraceID; got != "abc" {
		t.Errorf("trace id %q, want abc", got)
	}
}

func TestConfigReportsEveryContradictionAtOnce(t *testing.T) {
	_, err := New(nil, Config{
		Queue: -1, MaxBytes: 1, MaxBatch: -1, WhenFull: 9, Retry: Backoff{Base: -1, Max: -2}, DeadLetter: Multi(),
	})
	want := strings.Join([]string{
		"audit: invalid: New needs a sink",
		"audit: Config.Queue is -1, want at least 1",
		"audit: Config.MaxBytes is 1, want room for one event, 65536; negative = unlimited",
		"audit: Config.MaxBatch is -1, want at least 1",
		"audit: Config.WhenFull is 9, want one of the policies",
		"audit: Config.Retry.Base is -1ns, want more than 0",
		"audit: Config.Retry.Max is -2ns, want at least Retry.Base (-1ns)",
		"audit: invalid: Multi needs a sink",
	}, "\n")
	if !errors.Is(err, ErrInvalid) || err.Error() != want {
		t.Errorf("the error is\n%v\nwant\n%s", err, want)
	}
	_, err = New(NewMemory(), Config{Queue: 10, MaxBatch: 11})
	if bad, ok := errors.AsType[*ConfigError](err); !ok || bad.Field != "MaxBatch" || err.Error() != "audit: Config.MaxBatch is 11, want at most Queue (10)" {
		t.Errorf("a batch above the queue: %v", err)
	}
	if l, err := New(NewMemory(), Config{Queue: 10}); err != nil || l.cfg.MaxBatch != 10 || l.Name() != "audit" {
		t.Errorf("a small queue takes the batch along: %v", err)
	}
}

func TestNamesOfEnumsAreStable(t *testing.T) {
	for want, got := range map[string]fmt.Stringer{
		"created": OpCreated, "record": OpRecord, "write": OpWrite, "flush": OpFlush, "closed": OpClosed,
		"none": NotDropped, "queue_full": QueueFull, "after_close": AfterClose, "invalid": InvalidEvent, "too_large": EventTooLarge,
		"poisoned": Poisoned, "retries_spent": RetriesSpent, "unknown": DropReason(99),
		"success": Success, "failure": Failure, "denied": Denied,
	} {
		if got.String() != want {
			t.Errorf("%v, want %q", got, want)
		}
	}
	if Unknown.String() != "unknown" || len(DropReasons()) != 6 {
		t.Error("unknown outcome or the list of reasons")
	}
}
