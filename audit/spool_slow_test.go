// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func newBad(t *testing.T, sink Sink, cfg Config, disk *badDisk) *Log {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	if cfg.Spool.Dir == "" {
		cfg.Spool.Dir = t.TempDir()
	}
	l, err := newOn(sink, cfg, disk)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAFlushWaitsForTheSpoolAlsoWhenALaterEventWasRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, open := NewMemory(), make(chan struct{})
		slow := sinkFunc(func(ctx context.Context, batch []Event) error {
			<-open
			time.Sleep(time.Millisecond)
			return all.Write(ctx, batch)
		})
		l := newLog(t, slow, Config{Queue: 1, WriteTimeout: -1, Spool: Spool{Dir: t.TempDir()}})
		mustRecord(t, l, 50)
		time.Sleep(time.Second) // one event is in flight, none in the queue
		done := make(chan error)
		go func() { done <- l.Flush(t.Context()) }()
		synctest.Wait()
		if err := l.Record(t.Context(), Event{}); !errors.Is(err, ErrInvalid) {
			t.Error(err)
		}
		close(open)
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, stored := tally(all.Events()); stored != 50 {
			t.Errorf("%d of 50 events are stored after the flush", stored)
		}
		mustClose(t, l)
	})
}

func TestTheOldestEventHasItsAgeAlsoWhileASlowDiskIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		l := newBad(t, hung(release), Config{Queue: 10, Spool: Spool{Level: Process}}, &badDisk{reading: 10 * time.Second})
		mustRecord(t, l, 100)
		close(release)
		time.Sleep(5 * time.Second)
		if s := l.Stats(); s.Queued == 0 || s.OldestPending != 5*time.Second {
			t.Errorf("%d are pending, the oldest for %s, want 5s", s.Queued, s.OldestPending)
		}
		mustClose(t, l)
	})
}

// The clock of the bubble is behind that of the test.
func TestAnEventOfAProcessWhoseClockWasAheadHasNoAge(t *testing.T) {
	spool := Spool{Dir: t.TempDir(), Level: Process}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	before := newLog(t, sinkFunc(always2(errDown)), Config{Spool: spool})
	mustRecord(t, before, 3)
	_ = before.Close(ended)
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		lag := time.Duration(-1)
		l := newLog(t, hung(release), Config{Spool: spool, Observer: observerFunc(func(_ context.Context, a Activity) {
			if a.Op == OpWrite {
				lag = a.Lag
			}
		})})
		synctest.Wait()
		if s := l.Stats(); s.Queued == 0 || s.OldestPending != 0 {
			t.Errorf("%d are pending, the oldest for %s", s.Queued, s.OldestPending)
		}
		close(release)
		mustClose(t, l)
		if lag != 0 {
			t.Errorf("written %s after it was accepted", lag)
		}
	})
}

func TestALogTakesOverNothingOfALogWithAnotherName(t *testing.T) {
	dir, bookings, payments := t.TempDir(), NewMemory(), NewMemory()
	l := newLog(t, newGated(), Config{Name: "bookings", Spool: Spool{Dir: dir}})
	mustRecord(t, l, 20)
	_ = quit(t, l)
	mustClose(t, newLog(t, payments, Config{Name: "payments", Spool: Spool{Dir: dir}}))
	mustClose(t, newLog(t, bookings, Config{Name: "bookings", Spool: Spool{Dir: dir}}))
	wantTrail(t, payments.Events())
	wantTrail(t, bookings.Events(), numbers(20)...)
}

func TestARecordThatWaitsSeesThatTheDiskHasSpaceAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := new(badDisk)
		disk.low.Store(true)
		l := newBad(t, NewMemory(), Config{BlockFor: -1}, disk)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		done := make(chan error)
		go func() { done <- l.Record(ctx, Event{Type: "ok"}) }()
		time.Sleep(time.Minute)
		disk.low.Store(false)
		if err := <-done; err != nil {
			t.Error(err)
		}
		mustClose(t, l)
	})
}

func TestTheLastEventOfAStreamStaysInTheSpoolUntilTheSinkHasIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, sink := t.TempDir(), newGated()
		sink.open.Store(true)
		l := newBad(t, sink, Config{Linger: -1, Spool: Spool{Dir: dir, Level: Disk}}, &badDisk{slow: time.Second})
		mustRecord(t, l, 3)
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		sink.open.Store(false)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_ = l.Close(ctx)
		mustClose(t, newLog(t, sink.Memory, Config{Spool: Spool{Dir: dir}}))
		if seqs, want := seqsOf(sink.Memory, l.stream.id), []uint64{1, 2, 3, 4, 5}; !slices.Equal(seqs, want) {
			t.Errorf("numbers %v, want %v", seqs, want)
		}
	})
}

func TestAnEventOfSegmentsThatWereTakenOverIsStoredOrMarkedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, sink := t.TempDir(), newGated()
		var dead []*Log
		for i := range 3 {
			half := newScripted(func(n int, _ context.Context, batch []Event) error {
				if n > 0 {
					return errDown
				}
				return nil
			})
			dead = append(dead, newLog(t, half, Config{Instance: strconv.Itoa(i), MaxBatch: 5, Spool: Spool{Dir: dir}}))
			mustRecord(t, dead[i], 10)
		}
		time.Sleep(time.Second)
		for _, l := range dead {
			_ = quit(t, l)
		}
		l := newLog(t, sink, Config{WhenFull: DropOldest, Spool: Spool{Dir: dir, MaxBytes: 1 << 20, Level: Process}})
		before := l.Stats().Queued
		accepted, err := fill(t, l, 1500)
		if err != nil {
			t.Error(err)
		}
		sink.open.Store(true)
		mustClose(t, l)
		dropped := int(l.Stats().Dropped[SpoolFull])
		n, stored := tally(slices.DeleteFunc(slices.Clone(sink.events), func(e Event) bool {
			return e.Stream == l.stream.id && e.Type != "ok" && e.Type != TypeDropped
		}))
		if dropped == 0 || n != dropped || stored+n != before+accepted {
			t.Errorf("%d dropped, %d marked, %d stored of %d", dropped, n, stored, before+accepted)
		}
	})
}

func TestWhatIsBeingWrittenCountsForTheBoundOfTheSpool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newBad(t, newGated(), Config{WhenFull: DropNewest, Spool: Spool{MaxBytes: 1 << 20, Level: Disk}}, &badDisk{slow: time.Second})
		var all sync.WaitGroup
		for range 5000 {
			all.Go(func() { _ = l.Record(t.Context(), Event{Type: "ok", Session: strings.Repeat("x", 900)}) })
			time.Sleep(time.Millisecond)
		}
		all.Wait()
		if n := l.Stats().SpoolBytes; n > 1<<20+64<<10 || n < 1<<19 {
			t.Errorf("the spool has %d bytes", n)
		}
		_ = quit(t, l)
	})
}

func TestASyncThatFailsWhenTheLogClosesIsRepaired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := new(badDisk)
		l := newBad(t, newGated(), Config{}, disk)
		mustRecord(t, l, 5)
		disk.failures.Store(1)
		if err := quit(t, l); disk.failures.Load() != 0 || !strings.Contains(err.Error(), "5 events stay") || strings.Contains(err.Error(), "input/output") {
			t.Errorf("close: %v", err)
		}
	})
}

func TestAFlushThatIsOverWhenItsContextEndsReturnsWhatItFound(t *testing.T) {
	l := newLog(t, NewMemory(), Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 {
		if err := l.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, l)
}

func TestAFilterThatPanicsAtItsOwnMarkHoldsUpNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := NewMemory()
		l := newLog(t, Filter(all, func(e Event) bool {
			if e.Type == TypeFiltered {
				panic("an unknown type")
			}
			return e.Reason != "1"
		}), Config{})
		mustRecord(t, l, 3)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := l.Close(ctx); err != nil {
			t.Error(err)
		}
		wantTrail(t, all.Events(), "0", "2")
	})
}

func TestTheLongestWriteTimeoutIsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := new(lines)
		l := newLog(t, sinkFunc(func(context.Context, []Event) error {
			time.Sleep(time.Hour)
			return nil
		}), Config{WriteTimeout: math.MaxInt64, Logger: text.logger()})
		mustRecord(t, l, 1)
		mustClose(t, l)
		if text.String() != "" {
			t.Errorf("the logger gets %s", text)
		}
	})
}

func TestAFlushReportsWhatACloseThatGivesUpLeavesInTheSpool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog(t, newGated(), Config{Spool: Spool{Dir: t.TempDir()}})
		mustRecord(t, l, 3)
		done := make(chan error)
		go func() { done <- l.Flush(t.Context()) }()
		synctest.Wait()
		_ = quit(t, l)
		if err := <-done; !errors.Is(err, ErrUnavailable) || !errors.Is(err, errDown) && !errors.Is(err, context.Canceled) {
			t.Errorf("the flush returns %v", err)
		}
	})
}
