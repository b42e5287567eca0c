// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// kept is a sink that keeps everything, the events of the log itself included.
type kept struct{ events []Event }

func (k *kept) Write(_ context.Context, batch []Event) error {
	k.events = append(k.events, batch...)
	return nil
}

// numbered is what a sink has: types with their numbers, and the range of marks.
func numbered(events []Event) (s []string) {
	for _, e := range events {
		text := fmt.Sprint(e.Type, " ", e.Seq)
		if from, ok := e.Details.Get("from"); ok {
			to, _ := e.Details.Get("to")
			n, _ := e.Details.Get("n")
			text = fmt.Sprint(e.Type, " ", n, " of ", from, "-", to, " ", e.Reason)
		}
		s = append(s, text)
	}
	return s
}

func wantNumbered(t *testing.T, events []Event, want ...string) {
	t.Helper()
	if got := numbered(events); !slices.Equal(got, want) {
		t.Errorf("the trail is %q, want %q", got, want)
	}
	for _, e := range events {
		if (e.Seq > 0 || e.Type == TypeFiltered) && e.Stream != events[0].Stream {
			t.Errorf("%s %d is of another stream", e.Type, e.Seq)
		}
	}
}

func TestALogNumbersWhatItAcceptsFromItsOpeningToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := new(kept)
		l := newLog(t, sink, Config{Name: "trail", Instance: "front-1"})
		mustRecord(t, l, 1)
		own := Event{ID: NewID(), Type: "own"}
		for _, e := range []Event{own, {}, {Type: "ok", Stream: NewID(), Seq: 9}} {
			_ = l.Record(t.Context(), e)
		}
		time.Sleep(time.Second)
		mustRecord(t, l, 1)
		mustClose(t, l)
		wantNumbered(t, sink.events, "audit.opened 1", "ok 2", "own 0", "audit.dropped 0", "ok 3", "ok 4", "audit.closed 5")
		opened := sink.events[0]
		if opened.Actor.ID != "front-1" || opened.Resource.ID != "trail" || opened.ID != opened.Stream {
			t.Errorf("opened is %+v", opened)
		}
		for _, key := range []string{"host", "pid", "version"} {
			if _, ok := opened.Details.Get(key); !ok {
				t.Errorf("opened has no %s", key)
			}
		}
	})
}

func TestALogThatRecordedNothingWritesNothing(t *testing.T) {
	sink := new(kept)
	mustClose(t, newLog(t, sink, Config{}))
	if len(sink.events) > 0 {
		t.Errorf("the trail is %v", sink.events)
	}
}

func TestEveryNumberThatIsNotStoredIsInTheRangeOfAMark(t *testing.T) {
	t.Run("dropped", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			sink := new(kept)
			l := newLog(t, sink, Config{Queue: 2, WhenFull: DropOldest, Linger: time.Hour})
			mustRecord(t, l, 5)
			mustClose(t, l)
			// Which are dropped depends on when the writer comes.
			next, marks := uint64(1), 0
			for _, text := range numbered(sink.events) {
				first, last := next, next
				if _, err := fmt.Sscanf(text, "audit.dropped %d of %d-%d queue_full", new(int), &first, &last); err == nil {
					marks++
				} else if _, err := fmt.Sscanf(text, "%s %d", new(string), &first); err != nil {
					t.Fatal(text, err)
				}
				if first != next {
					t.Errorf("%s: want the number %d", text, next)
				}
				next = max(first, last) + 1
			}
			if next != 8 || marks == 0 {
				t.Errorf("the trail is %q, want the numbers 1 to 7, and a mark", numbered(sink.events))
			}
		})
	})
	t.Run("refused by the sink", func(t *testing.T) {
		sink := &poisonousKept{}
		l := newLog(t, sink, Config{DeadLetter: NewMemory()})
		mustRecord(t, l, 1)
		_ = l.Record(t.Context(), Event{Type: "bad"})
		mustRecord(t, l, 1)
		_ = l.Close(t.Context())
		wantNumbered(t, sink.events, "audit.opened 1", "ok 2", "audit.dropped 1 of 3-3 poisoned", "ok 4", "audit.closed 5")
	})
	t.Run("filtered", func(t *testing.T) {
		sink := new(kept)
		l := newLog(t, Filter(sink, func(e Event) bool { return e.Reason != "1" && e.Reason != "3" }), Config{})
		mustRecord(t, l, 5)
		mustClose(t, l)
		wantNumbered(t, sink.events, "audit.opened 1", "ok 2", "ok 4", "ok 6", "audit.filtered 2 of 3-5 filtered", "audit.closed 7")
	})
	t.Run("given up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			sink := new(kept)
			var down atomic.Bool
			down.Store(true)
			broken := unstripped(func(ctx context.Context, batch []Event) error {
				if down.Load() {
					return errDown
				}
				return sink.Write(ctx, batch)
			})
			l := newLog(t, broken, Config{Retry: Backoff{Tries: 2}})
			mustRecord(t, l, 2)
			time.Sleep(time.Second)
			down.Store(false)
			mustRecord(t, l, 1)
			mustClose(t, l)
			wantNumbered(t, sink.events, "audit.opened 1", "audit.dropped 2 of 2-3 retries_spent", "ok 4", "audit.closed 5")
		})
	})
}

// unstripped is a sinkFunc that gets the stream's own events, too.
type unstripped func(context.Context, []Event) error

func (f unstripped) Write(ctx context.Context, batch []Event) error { return f(ctx, batch) }

type poisonousKept struct{ kept }

func (p *poisonousKept) Write(ctx context.Context, batch []Event) error {
	if err := poisonous(0, ctx, batch); err != nil {
		return err
	}
	return p.kept.Write(ctx, batch)
}

func TestABatchWrittenAgainThroughAFilterHasTheSameMark(t *testing.T) {
	sink := new(kept)
	filter := Filter(sink, func(e Event) bool { return e.Type != "debug" })
	batch := []Event{{ID: NewID(), Type: "debug", Stream: NewID(), Seq: 7}, {ID: NewID(), Type: "debug"}}
	for range 2 {
		if err := filter.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	if len(sink.events) != 2 || sink.events[0] != sink.events[1] || sink.events[0].Stream != batch[0].Stream {
		t.Errorf("the trail is %v, want one mark twice", sink.events)
	}
}

func TestTheSinksOfAMultiHaveOneNumbering(t *testing.T) {
	one, two := new(kept), new(kept)
	l := newLog(t, Multi(one, two), Config{})
	mustRecord(t, l, 2)
	mustClose(t, l)
	for _, sink := range []*kept{one, two} {
		wantNumbered(t, sink.events, "audit.opened 1", "ok 2", "ok 3", "audit.closed 4")
	}
	if one.events[1] != two.events[1] {
		t.Error("the sinks have different events")
	}
}

// An outage at the end is over when ctx is: no event is missing then, only the end.
func TestCloseReportsNoLossWhenOnlyTheEndOfTheStreamIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		l := newLog(t, unstripped(func(context.Context, []Event) error {
			if down.Load() {
				return errDown
			}
			return nil
		}), Config{})
		mustRecord(t, l, 1)
		time.Sleep(time.Second)
		down.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := l.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
}
