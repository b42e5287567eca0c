// SPDX-License-Identifier: MIT

package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
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

func TestAnObserverThatIsBehindGetsLostEventsTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		calls, lost := 0, 0
		l := newLog(t, NewMemory(), Config{Linger: time.Hour, Observer: observerFunc(func(_ context.Context, a Activity) {
			<-release
			if a.Op == OpRecord {
				calls, lost = calls+1, lost+a.Events
			}
		})})
		const n = 5 * mailboxSize
		for range n {
			_ = l.Record(t.Context(), Event{})
		}
		close(release)
		mustClose(t, l)
		synctest.Wait() // Close does not wait for an observer that it knows to be stuck
		if lost != n || calls > mailboxBusy+1 || l.Stats().ObserverMissed != 0 {
			t.Errorf("%d calls reported %d lost events, and %d activities were missed; want all %d in a few", calls, lost, l.Stats().ObserverMissed, n)
		}
	})
}

// What is reported together is of one sink and one reason.
func TestLostEventsAreReportedUnderTheirOwnSinkAndReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		lost := map[string]int{}
		l := newLog(t, Multi(NewMemory(), NewMemory()), Config{Linger: -1, Observer: observerFunc(func(_ context.Context, a Activity) {
			<-release
			if a.Op == OpRecord {
				lost[fmt.Sprint(a.Source.Name(), " ", a.Drop)] += a.Events
			}
		})})
		const n = 100
		for i := range n {
			_ = l.Record(t.Context(), Event{})
			_ = l.Record(t.Context(), Event{Type: strings.Repeat("t", MaxType+1)})
			if i%10 == 0 {
				synctest.Wait() // the marks are written
			}
		}
		close(release)
		mustClose(t, l)
		synctest.Wait()
		want := map[string]int{"audit/1 invalid": n, "audit/1 too_large": n, "audit/2 invalid": n, "audit/2 too_large": n}
		if !maps.Equal(lost, want) {
			t.Errorf("reported as lost %v, want %v", lost, want)
		}
	})
}

func TestAnObserverThatEndsItsGoroutineGetsWhatFollows(t *testing.T) {
	calls := 0
	l := newLog(t, NewMemory(), Config{Observer: observerFunc(func(context.Context, Activity) {
		if calls++; calls < 3 {
			runtime.Goexit()
		}
	})})
	mustRecord(t, l, 1)
	mustClose(t, l)
	if calls != 3 {
		t.Errorf("%d calls, want 3: created, write, closed", calls)
	}
}

func TestObserversCalledDirectlyAreAllCalled(t *testing.T) {
	calls := 0
	one := observerFunc(func(context.Context, Activity) { calls++ })
	Observers(one, nil, Observers(one, one)).ObserveAudit(t.Context(), Activity{})
	if calls != 3 {
		t.Errorf("%d calls, want 3", calls)
	}
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
		Spool: Spool{Level: Disk},
	})
	want := strings.Join([]string{
		"audit: invalid: New needs a sink",
		"audit: Config.Queue is -1, want at least 1",
		"audit: Config.MaxBytes is 1, want room for one event, 65536; negative = unlimited",
		"audit: Config.MaxBatch is -1, want at least 1",
		"audit: Config.WhenFull is 9, want one of the policies",
		"audit: Config.Retry.Base is -1ns, want more than 0",
		"audit: Config.Retry.Max is -2ns, want at least Retry.Base (-1ns)",
		"audit: Config.Spool.Dir is \"\", want a folder, because other fields of Spool are set",
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
		"created": OpNew, "record": OpRecord, "write": OpWrite, "flush": OpFlush, "closed": OpClosed,
		"none": NotDropped, "queue_full": QueueFull, "after_close": AfterClose, "invalid": InvalidEvent, "too_large": EventTooLarge,
		"poisoned": Poisoned, "retries_spent": RetriesSpent, "spool_full": SpoolFull, "spool_failed": SpoolFailed, "unknown": DropReason(99),
		"success": Success, "failure": Failure, "denied": Denied,
	} {
		if got.String() != want {
			t.Errorf("%v, want %q", got, want)
		}
	}
	if Unknown.String() != "unknown" || (OpClosed+1).String() != "unknown" || len(DropReasons()) != 8 {
		t.Error("unknown outcome or the list of reasons")
	}
}

// lines collects what a log writes to its logger, with the time since the start.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lines) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lines) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *lines) logger() *slog.Logger {
	start := time.Now()
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.String("t", fmt.Sprint(a.Value.Time().Sub(start).Truncate(time.Minute)))
		}
		return a
	}}))
}

func (b *lines) all() []string { return strings.Split(strings.TrimSpace(b.String()), "\n") }

func TestTheFirstTroubleIsLoggedAtOnceAndThenALineAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lines
		s := newScripted(always(errDown))
		l := newLog(t, s, Config{Linger: -1, Queue: 10, WhenFull: DropNewest, Retry: Backoff{Max: time.Second}, Logger: out.logger()})
		mustRecord(t, l, 1)
		synctest.Wait()
		if got := out.all(); len(got) != 1 || got[0] != `t=0s level=WARN msg="audit: writing fails" log=audit failed_writes=1 dropped=0 err=down queued=1` {
			t.Fatalf("after the first failure the logger has %q", got)
		}
		for range 10 * 60 {
			_ = l.Record(t.Context(), Event{Type: "ok", Reason: "canary"})
			time.Sleep(time.Second)
		}
		got := out.all()
		if n := len(got); n < 8 || n > 11 {
			t.Errorf("%d lines in ten minutes, want about one a minute", n)
		}
		if last := got[len(got)-1]; !strings.Contains(last, `level=ERROR msg="audit: events are dropped"`) || !strings.Contains(last, "dropped=60") || !strings.Contains(last, "reason=queue_full err=\"audit: queue full\" queued=10") {
			t.Errorf("in the outage: %s", last)
		}
		synctest.Wait()
		s.plan = always(nil)
		mustClose(t, l)
		if last := out.all()[len(out.all())-1]; !strings.Contains(last, "the sink stores again") {
			t.Errorf("after the outage: %s", last)
		}
		if strings.Contains(out.String(), "canary") {
			t.Error("a line quotes an event")
		}
	})
}

func TestASinkThatIgnoresItsContextIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lines
		l := newLog(t, newScripted(func(int, context.Context, []Event) error { time.Sleep(time.Minute); return nil }),
			Config{Linger: -1, Logger: out.logger()})
		mustRecord(t, l, 1)
		time.Sleep(30 * time.Second)
		if got := out.String(); !strings.Contains(got, "the sink does not answer") {
			t.Errorf("after 30 s of silence the logger has %q", got)
		}
		mustClose(t, l)
	})
}

func TestFlickeringTroubleIsLoggedAtTheSameRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lines
		l := newLog(t, newScripted(func(n int, _ context.Context, _ []Event) error {
			if n%2 == 0 {
				return errDown
			}
			return nil
		}), Config{Linger: -1, Logger: out.logger()})
		for range 10 * 60 {
			mustRecord(t, l, 1)
			time.Sleep(time.Second)
		}
		mustClose(t, l)
		if n := len(out.all()); n > 22 {
			t.Errorf("%d lines in ten minutes, want at most two a minute", n)
		}
	})
}

func TestWhatIsLostAtTheEndIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lines
		l := newLog(t, newScripted(always(errDown)), Config{Linger: -1, Logger: out.logger()})
		mustRecord(t, l, 3)
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_ = l.Close(ctx)
		if last := out.all()[len(out.all())-1]; !strings.Contains(last, "dropped=3 reason=retries_spent") {
			t.Errorf("the last line is %s", last)
		}
	})
}

func TestWithoutALoggerTheDefaultOneIsUsed(t *testing.T) {
	var out lines
	before := slog.Default()
	defer slog.SetDefault(before)
	l, err := New(sinkFunc(always2(ErrPermanent)), Config{Linger: -1})
	if err != nil {
		t.Fatal(err)
	}
	slog.SetDefault(out.logger())
	mustRecord(t, l, 1)
	_ = l.Close(t.Context())
	if !slices.ContainsFunc(out.all(), func(line string) bool { return strings.Contains(line, "refused for good") }) {
		t.Errorf("the default logger has %q", out.all())
	}
}
