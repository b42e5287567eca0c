// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestCloseDrainsInOrder(t *testing.T) {
	m := NewMemory()
	l := newLog(t, m, Config{})
	mustRecord(t, l, 2000)
	mustClose(t, l)
	wantTrail(t, m.Events(), numbers(2000)...)
}

func TestAfterCloseEveryCallAnswersErrClosed(t *testing.T) {
	l := newLog(t, NewMemory(), Config{})
	mustClose(t, l)
	for name, err := range map[string]error{
		"Record":  l.Record(t.Context(), Event{Type: "ok"}),
		"Flush":   l.Flush(t.Context()),
		"Healthy": l.Healthy(),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v, want ErrClosed", name, err)
		}
	}
	if n := l.Stats().Dropped[AfterClose]; n != 1 {
		t.Errorf("%d counted as dropped after close, want 1", n)
	}
}

func TestFirstEventAfterQuietLingersForCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted(always(nil))
		l := newLog(t, s, Config{Linger: 50 * time.Millisecond})
		mustRecord(t, l, 1)
		time.Sleep(49 * time.Millisecond)
		mustRecord(t, l, 2)
		if got := s.sizes(); len(got) != 0 {
			t.Fatalf("wrote %v before the linger was over", got)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if got := s.sizes(); !slices.Equal(got, []int{3}) {
			t.Errorf("batches %v, want one of 3", got)
		}
		mustClose(t, l)
	})
}

func TestBusyLogDoesNotLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted(func(int, context.Context, []Event) error { time.Sleep(time.Second); return nil })
		l := newLog(t, s, Config{Linger: time.Minute, MaxBatch: 2})
		start := time.Now()
		mustRecord(t, l, 5) // 2 at once, then 2 and 1 as soon as the sink is free
		synctest.Wait()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if got := s.sizes(); !slices.Equal(got, []int{2, 2, 1}) {
			t.Errorf("batches %v after %s, want 2, 2, 1", got, time.Since(start))
		}
		mustClose(t, l)
	})
}

func TestFullBatchEndsTheLinger(t *testing.T) {
	for name, cfg := range map[string]Config{
		"by count": {MaxBatch: 3, Linger: time.Hour},
		"by bytes": {MaxBatchBytes: 3 * 300, Linger: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := NewMemory()
				l := newLog(t, m, cfg)
				mustRecord(t, l, 3)
				synctest.Wait()
				if len(m.Events()) == 0 {
					t.Error("a full batch still waits for company")
				}
				mustClose(t, l)
			})
		})
	}
}

func TestABatchOfExactlyMaxBatchBytesIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := NewMemory()
		measured := newLog(t, one, Config{Linger: -1})
		mustRecord(t, measured, 1)
		mustClose(t, measured)
		m := NewMemory()
		l := newLog(t, m, Config{MaxBatchBytes: 2 * size(&one.Events()[0]), Linger: time.Hour})
		mustRecord(t, l, 2)
		synctest.Wait()
		if len(m.Events()) != 2 {
			t.Error("a full batch still waits for company")
		}
		mustClose(t, l)
	})
}

func TestBatchesAreBoundedByCountAndBytes(t *testing.T) {
	big := strings.Repeat("x", MaxText)
	for name, c := range map[string]struct {
		cfg  Config
		want []int
	}{
		"count":                        {Config{MaxBatch: 4, Linger: time.Hour}, []int{4, 4, 2}},
		"bytes":                        {Config{MaxBatchBytes: 3000, Linger: time.Hour}, []int{2, 2, 2, 2, 2}},
		"a single event always fits":   {Config{MaxBatchBytes: 1, Linger: time.Hour}, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
		"no bound on bytes":            {Config{MaxBatchBytes: -1, Linger: time.Hour}, []int{10}},
		"no linger, and still batches": {Config{MaxBatch: 5, Linger: -1}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScripted(always(nil))
				hold := make(chan struct{})
				s.plan = func(n int, _ context.Context, _ []Event) error {
					<-hold
					return nil
				}
				l := newLog(t, s, c.cfg)
				l.mu.Lock() // the writer sees all ten at once
				now := time.Now()
				for range 10 {
					e := Event{Type: "ok", Reason: big, Time: now}
					l.accept(&e, size(&e), now)
				}
				l.mu.Unlock()
				close(hold)
				mustClose(t, l)
				if got := s.sizes(); c.want != nil && !slices.Equal(got, c.want) {
					t.Errorf("batches %v, want %v", got, c.want)
				}
			})
		})
	}
}

func TestFlushWaitsForWhatWasAcceptedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := newScripted(func(n int, _ context.Context, _ []Event) error {
			if n == 1 {
				<-release
			}
			return nil
		})
		l := newLog(t, s, Config{Linger: time.Hour})
		mustRecord(t, l, 3)
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantTrail(t, s.Events(), numbers(3)...)

		mustRecord(t, l, 1) // held up by the sink
		done := make(chan error)
		go func() { done <- l.Flush(t.Context()) }()
		synctest.Wait()
		mustRecord(t, l, 100)
		select {
		case err := <-done:
			t.Fatalf("flush returned %v before its event was stored", err)
		default:
		}
		close(release)
		if err := <-done; err != nil {
			t.Error(err)
		}
		mustClose(t, l)
	})
}

func TestFlushHurriesALingeringWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog(t, NewMemory(), Config{Linger: time.Hour})
		start := time.Now()
		mustRecord(t, l, 1)
		synctest.Wait()
		if err := l.Flush(t.Context()); err != nil || time.Since(start) != 0 {
			t.Errorf("flush: %v after %s, want at once", err, time.Since(start))
		}
		mustClose(t, l)
	})
}

func TestFlushOfAnIdleLogReturnsAtOnce(t *testing.T) {
	l := newLog(t, sinkFunc(func(context.Context, []Event) error { panic("nothing to write") }), Config{})
	if err := l.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	mustClose(t, l)
}

func TestFlushEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted(always(errDown))
		l := newLog(t, s, Config{})
		mustRecord(t, l, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		err := l.Flush(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrUnavailable) || !errors.Is(err, errDown) {
			t.Errorf("flush: %v, want the deadline, ErrUnavailable and the sink's error in it", err)
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("flush took %s, want the 10s of its context", took)
		}
		l.mu.Lock()
		if len(l.lanes[0].flushes) != 0 {
			t.Errorf("%d flushes are still waited for", len(l.lanes[0].flushes))
		}
		l.mu.Unlock()
		s.plan = always(nil)
		mustClose(t, l)
		wantTrail(t, s.Events(), "0") // a flush in vain loses nothing
	})
}

func TestTheWriterExistsOnlyWhileThereIsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog(t, NewMemory(), Config{})
		mustRecord(t, l, 1)
		time.Sleep(time.Second)
		synctest.Wait()
		l.mu.Lock()
		running := l.lanes[0].running
		l.mu.Unlock()
		if running {
			t.Error("the writer is still there a second after the last event")
		}
		// No Close: the bubble ends only because no goroutine is left.
	})
}

func TestCloseHangsOnNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		deaf := newScripted(func(int, context.Context, []Event) error { <-release; return nil })
		l := newLog(t, deaf, Config{MaxBatch: 2})
		mustRecord(t, l, 5)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		err := l.Close(ctx)
		loss, ok := errors.AsType[*LossError](err)
		if !ok || len(loss.IDs) != 5 || loss.InDoubt != 2 {
			t.Fatalf("close: %v, want the loss of 5 events, 2 of them in doubt", err)
		}
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Errorf("close: %v after %s, want the deadline after 3s", err, time.Since(start))
		}
		if !slices.IsSortedFunc(loss.IDs, ID.Compare) {
			t.Error("the lost ids are not in order")
		}
		if again := l.Close(t.Context()); again != err {
			t.Errorf("a second close says %v, the first said %v", again, err)
		}
		if got := l.Stats(); got.Dropped[RetriesSpent] != 5 || got.Queued != 0 || got.QueuedBytes != 0 {
			t.Errorf("stats %+v, want 5 dropped and nothing queued", got)
		}
		close(release)
	})
}

func TestConcurrentCloseCallsReportTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog(t, sinkFunc(func(ctx context.Context, _ []Event) error { <-ctx.Done(); return ctx.Err() }), Config{})
		mustRecord(t, l, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		results := make(chan error, 2)
		go func() { results <- l.Close(ctx) }()
		synctest.Wait()
		go func() { results <- l.Close(t.Context()) }()
		short, cancelShort := context.WithTimeout(t.Context(), time.Second)
		defer cancelShort()
		synctest.Wait()
		if err := l.Close(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("an impatient close: %v, want its own deadline", err)
		}
		a := <-results
		b := <-results
		if _, ok := errors.AsType[*LossError](a); !ok || a != b {
			t.Errorf("two closes report %v and %v", a, b)
		}
	})
}
