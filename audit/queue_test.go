// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// stuck is a sink whose first write takes a minute, and a log of it with room
// for four events, the first of which is being written.
func stuck(t *testing.T, cfg Config) (*scripted, *Log) {
	t.Helper()
	s := newScripted(func(n int, _ context.Context, _ []Event) error {
		if n == 0 {
			time.Sleep(time.Minute)
		}
		return nil
	})
	cfg.Queue, cfg.Linger = 4, -1
	l := newLog(t, s, cfg)
	mustRecord(t, l, 1)
	synctest.Wait()
	return s, l
}

func recordReason(t *testing.T, l *Log, reason string, want error) {
	t.Helper()
	if err := l.Record(t.Context(), Event{Type: "ok", Reason: reason}); !errors.Is(err, want) {
		t.Errorf("record %s: %v, want %v", reason, err, want)
	}
}

func TestDropNewestRefusesAndMarksTheGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := stuck(t, Config{WhenFull: DropNewest})
		for _, r := range []string{"a", "b", "c"} {
			recordReason(t, l, r, nil)
		}
		for _, r := range []string{"lost1", "lost2"} {
			recordReason(t, l, r, ErrFull)
		}
		if err := l.Healthy(); !errors.Is(err, ErrUnavailable) || !errors.Is(err, ErrFull) {
			t.Errorf("health with a full queue: %v, want ErrFull and ErrUnavailable", err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		recordReason(t, l, "d", nil)
		mustClose(t, l)
		wantTrail(t, s.Events(), "0", "a", "b", "c", "dropped 2 queue_full", "d")
		if got := l.Stats(); got.Recorded != 5 || got.Written != 5 || got.Dropped[QueueFull] != 2 {
			t.Errorf("stats %+v, want 5 recorded and written, 2 dropped", got)
		}
	})
}

func TestDropOldestMakesRoomAndMarksTheGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := stuck(t, Config{WhenFull: DropOldest})
		for _, r := range []string{"lost1", "lost2", "a", "b", "c"} {
			recordReason(t, l, r, nil)
		}
		if err := l.Close(t.Context()); err != nil {
			t.Error(err) // those two were lost before
		}
		wantTrail(t, s.Events(), "0", "dropped 2 queue_full", "a", "b", "c")
		if got := l.Stats(); got.Recorded != 6 || got.Written != 4 || got.Dropped[QueueFull] != 2 {
			t.Errorf("stats %+v, want 6 recorded, 4 written, 2 dropped", got)
		}
	})
}

func TestDropOldestNeverDropsWhatIsBeingWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted(func(int, context.Context, []Event) error { time.Sleep(time.Minute); return nil })
		l := newLog(t, s, Config{Queue: 2, MaxBatch: 2, WhenFull: DropOldest})
		mustRecord(t, l, 2)
		synctest.Wait()
		recordReason(t, l, "refused", ErrFull)
		mustClose(t, l)
		wantTrail(t, s.Events(), "0", "1", "dropped 1 queue_full")
	})
}

func TestBlockWaitsForRoomUntilTheFirstLimit(t *testing.T) {
	for name, c := range map[string]struct {
		blockFor, deadline time.Duration // 0: none
		waits              time.Duration
		want               []error
	}{
		"a second by default":         {0, 0, time.Second, []error{ErrFull}},
		"as long as configured":       {20 * time.Second, 0, 20 * time.Second, []error{ErrFull}},
		"no longer than the context":  {20 * time.Second, 10 * time.Second, 10 * time.Second, []error{ErrFull, context.DeadlineExceeded}},
		"until there is room":         {2 * time.Minute, 0, time.Minute, nil},
		"without a limit when asked":  {-1, 0, time.Minute, nil},
		"without a limit, in context": {-1, 10 * time.Second, 10 * time.Second, []error{ErrFull, context.DeadlineExceeded}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, l := stuck(t, Config{BlockFor: c.blockFor})
				mustRecord(t, l, 3)
				ctx := t.Context()
				if c.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.deadline)
					defer cancel()
				}
				start := time.Now()
				err := l.Record(ctx, Event{Type: "ok", Reason: "last"})
				if took := time.Since(start); took != c.waits || (err == nil) != (c.want == nil) {
					t.Errorf("%v after %s, want %v after %s", err, took, c.want, c.waits)
				}
				for _, want := range c.want {
					if !errors.Is(err, want) {
						t.Errorf("%v is not %v", err, want)
					}
				}
				mustClose(t, l)
				last := "last"
				if c.want != nil {
					last = "dropped 1 queue_full"
				}
				wantTrail(t, s.Events(), "0", "0", "1", "2", last)
			})
		})
	}
}

func TestBytesBoundTheQueueToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted(func(int, context.Context, []Event) error { time.Sleep(time.Minute); return nil })
		l := newLog(t, s, Config{MaxBytes: maxEvent, WhenFull: DropNewest, Linger: -1})
		accepted := 0
		for range 1000 {
			if l.Record(t.Context(), Event{Type: "ok", Reason: strings.Repeat("x", MaxText)}) == nil {
				accepted++
			}
		}
		if got := l.Stats(); got.QueuedBytes > maxEvent || accepted != got.Queued || accepted < 40 {
			t.Errorf("%d events accepted, stats %+v, want as many as 64 KiB take", accepted, got)
		}
		mustClose(t, l)
	})
}

func TestCloseFreesThoseWhoWaitForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := stuck(t, Config{})
		mustRecord(t, l, 3)
		refused := make(chan error)
		go func() { refused <- l.Record(t.Context(), Event{Type: "ok"}) }()
		synctest.Wait()
		closed := make(chan error)
		go func() { closed <- l.Close(t.Context()) }()
		if err := <-refused; !errors.Is(err, ErrClosed) {
			t.Errorf("waiting for room when the log closes: %v, want ErrClosed", err)
		}
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}

func TestRefusedEventsAreMarkedWhereTheyWouldBe(t *testing.T) {
	m := NewMemory()
	l := newLog(t, m, Config{})
	mustRecord(t, l, 1)
	for _, e := range []Event{{}, {Type: "x", Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}, {Type: strings.Repeat("t", MaxType+1)}, {Reason: "again"}} {
		if err := l.Record(t.Context(), e); !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrTooLarge) {
			t.Errorf("%+v: %v, want it refused", e, err)
		}
	}
	recordReason(t, l, "last", nil)
	mustClose(t, l)
	wantTrail(t, m.Events(), "0", "dropped 3 invalid", "dropped 1 too_large", "last")
	if got := l.Stats().Dropped; !maps.Equal(got, map[DropReason]uint64{InvalidEvent: 3, EventTooLarge: 1}) {
		t.Errorf("dropped %v", got)
	}
}

func TestMarkNamesTheRangeAndSortsAtTheGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := stuck(t, Config{WhenFull: DropOldest})
		lost := []ID{NewID(), NewID()}
		for i, r := range []string{"lost1", "lost2"} {
			if err := l.Record(t.Context(), Event{ID: lost[i], Type: "ok", Reason: r}); err != nil {
				t.Fatal(err)
			}
		}
		mustRecord(t, l, 3)
		mustClose(t, l)
		events := s.Events()
		mark := events[1]
		first, _ := mark.Details.Get("first")
		last, _ := mark.Details.Get("last")
		if first != lost[0].String() || last != lost[1].String() {
			t.Errorf("the mark says %s to %s, want %s to %s", first, last, lost[0], lost[1])
		}
		if !slices.IsSortedFunc(events, func(a, b Event) int { return a.ID.Compare(b.ID) }) {
			t.Error("by id the mark is not at its gap")
		}
		if slices.Contains(lost, mark.ID) || mark.Outcome != Failure || mark.Resource.ID != "audit" || mark.Time.IsZero() {
			t.Errorf("the mark is %+v", mark)
		}
	})
}

// TestGapsBoundTheQueue has an outage in which every second event is invalid
// and the valid ones push each other out: gaps must not pile up.
func TestGapsBoundTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := stuck(t, Config{WhenFull: DropOldest})
		for range 1000 {
			recordReason(t, l, "ok", nil)
			if err := l.Record(t.Context(), Event{}); !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
		}
		l.mu.Lock()
		n := l.lanes[0].queue.n
		l.mu.Unlock()
		if n > 2*4+1 {
			t.Errorf("%d entries wait in a queue of 4", n)
		}
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
		lost := map[string]int{}
		for _, e := range s.Events() {
			if e.Type == TypeDropped {
				n, _ := e.Details.Get("n")
				var i int
				fmt.Sscan(fmt.Sprint(n), &i)
				lost[e.Reason] += i
			}
		}
		if want := map[string]int{"queue_full": 997, "invalid": 1000}; !maps.Equal(lost, want) {
			t.Errorf("marked as lost %v, want %v", lost, want)
		}
	})
}
