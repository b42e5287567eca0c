// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// MaxBytes and MaxBatchBytes bound every text of an event.
func TestTheSizeOfAnEventCountsEachText(t *testing.T) {
	bare := size(&Event{})
	for i, e := range []Event{
		{Type: "text"}, {Reason: "text"}, {Tenant: "text"}, {Session: "text"}, {Correlation: "text"}, {TraceID: "text"},
		{SourceAddress: "text"}, {UserAgent: "text"}, {Details: Details{text: "text"}},
		{Actor: Entity{Type: "text"}}, {Actor: Entity{ID: "text"}}, {Actor: Entity{Name: "text"}},
		{Resource: Entity{Type: "text"}}, {Resource: Entity{ID: "text"}}, {Resource: Entity{Name: "text"}},
		{OnBehalfOf: Entity{Type: "text"}}, {OnBehalfOf: Entity{ID: "text"}}, {OnBehalfOf: Entity{Name: "text"}},
	} {
		if got := size(&e); got != bare+4 {
			t.Errorf("text %d: size %d, want %d", i, got, bare+4)
		}
	}
}

// TestEveryAcceptedEventIsStoredOrReported races Record against Flush and
// Close: what Record accepted is in the sink or in Close's error, once, and
// what it refused is in neither. HOLDFAST_LONG=1 makes it 10 000 rounds.
func TestEveryAcceptedEventIsStoredOrReported(t *testing.T) {
	rounds := 300
	if os.Getenv("HOLDFAST_LONG") != "" {
		rounds = 10_000
	}
	for round := range rounds {
		m := newScripted(always(nil))
		if round%3 == 0 { // some rounds Close gives up
			m.plan = func(n int, ctx context.Context, _ []Event) error {
				if n > 0 {
					<-ctx.Done()
					return ctx.Err()
				}
				return nil
			}
		}
		l := newLog(t, m, Config{Queue: 64, MaxBatch: 8, Linger: -1, WhenFull: FullPolicy(round % 3)})
		var accepted atomic.Int64
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for {
					switch err := l.Record(context.Background(), Event{Type: "ok"}); {
					case err == nil:
						accepted.Add(1)
					case errors.Is(err, ErrClosed):
						return
					}
					runtime.Gosched() // so that Close has its turn on one processor, too
				}
			})
		}
		all.Go(func() { _ = l.Flush(context.Background()) })
		for accepted.Load() < 50 { // Close comes into the thick of it
			runtime.Gosched()
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Millisecond)
		if round%3 != 0 {
			ctx = context.Background()
		}
		err := l.Close(ctx)
		cancel()
		all.Wait()

		in := make(map[ID]bool)
		for _, e := range m.Events() {
			if e.Type != TypeDropped {
				in[e.ID] = true
			}
		}
		stored, reported := len(in), 0
		if loss, ok := errors.AsType[*LossError](err); ok {
			reported = len(loss.IDs)
			both := 0 // the sink had them and Close did not live to hear it
			for _, id := range loss.IDs {
				if in[id] {
					both++
				}
			}
			if both > loss.InDoubt {
				t.Fatalf("round %d: %d events are stored and reported lost, with %d in doubt", round, both, loss.InDoubt)
			}
			stored -= both
		} else if err != nil {
			t.Fatal(err)
		}
		s := l.Stats()
		// With DropOldest accepted events are dropped before Close, too.
		dropped := int(s.Dropped[RetriesSpent])
		if l.cfg.WhenFull == DropOldest {
			dropped += int(s.Dropped[QueueFull])
		}
		if l.cfg.WhenFull != DropOldest && int(accepted.Load()) != stored+reported {
			t.Fatalf("round %d: %d accepted, %d stored and %d reported lost", round, accepted.Load(), stored, reported)
		}
		if l.cfg.WhenFull != DropOldest && (s.Recorded != uint64(accepted.Load()) || int(s.Recorded) != int(s.Written)+dropped || s.Queued != 0) {
			t.Fatalf("round %d: stats %+v do not add up to %d accepted", round, s, accepted.Load())
		}
		if int(s.Written) != stored {
			t.Fatalf("round %d: %d counted as written, %d stored", round, s.Written, stored)
		}
	}
}

func TestRecordIgnoresACancelledContextWhenThereIsRoom(t *testing.T) {
	m := NewMemory()
	l := newLog(t, m, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Record(ctx, Event{Type: "ok"}); err != nil {
		t.Errorf("%v, want it accepted: the audited action happened, whatever became of its context", err)
	}
	mustClose(t, l)
	if len(m.Events()) != 1 {
		t.Error("the event is not in the trail")
	}
}

func TestNothingTheCallerChangesLaterReachesTheTrail(t *testing.T) {
	m := NewMemory()
	l := newLog(t, m, Config{})
	fields := map[string]any{"room": "101", "list": []int{1}}
	e := Event{Type: "ok", Details: JSON(fields)}
	if err := l.Record(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	fields["room"] = "forged"
	fields["list"].([]int)[0] = 9
	e.Type = "forged"
	mustClose(t, l)
	if got := m.Events()[0]; got.Type != "ok" || got.Details.String() != `{"list":[1],"room":"101"}` {
		t.Errorf("stored %+v", got)
	}
}

func TestRecordDoesNotAllocate(t *testing.T) {
	release := make(chan struct{})
	l := newLog(t, sinkFunc(func(context.Context, []Event) error { <-release; return nil }), Config{Queue: 1 << 16, MaxBytes: -1, Linger: -1})
	e := Event{Type: "lock.acquired", Outcome: Success, Actor: Entity{ID: "ana"}, Details: JSON(map[string]int{"nights": 3})}
	ctx := t.Context()
	for range 20_000 { // grow the ring first
		_ = l.Record(ctx, e)
	}
	if n := testing.AllocsPerRun(5000, func() { _ = l.Record(ctx, e) }); n != 0 {
		t.Errorf("%v allocations for an event, want none", n)
	}
	close(release)
	mustClose(t, l)
}

func BenchmarkRecord(b *testing.B) {
	l := newLog(b, unstripped(func(context.Context, []Event) error { return nil }), Config{WhenFull: DropNewest})
	e := Event{Type: "lock.acquired", Outcome: Success, Actor: Entity{ID: "ana"}, Resource: Entity{Type: "lock", ID: strings.Repeat("r", 20)}, Details: JSON(map[string]int{"nights": 3})}
	b.ReportAllocs()
	for b.Loop() {
		_ = l.Record(b.Context(), e)
	}
	_ = l.Close(context.Background())
}

func TestFreezeMakesEventsSafe(t *testing.T) {
	long := strings.Repeat("é", MaxText)
	now := time.Now()
	e := frozenEvents(t, Event{
		Time: now.In(time.FixedZone("east", 3600)), Type: "o\x00k", Outcome: 77, Reason: "a\xffb",
		Actor: Entity{ID: long}, Details: Fields(slog.String("k", strings.Repeat("x", MaxDetails))),
	})[0]
	if e.Time != now.UTC().Truncate(time.Microsecond) {
		t.Errorf("time %v, want UTC microseconds of %v", e.Time, now)
	}
	if e.Type != "o\uFFFDk" || e.Reason != "a\uFFFDb" || e.Outcome != Unknown {
		t.Errorf("type %q, reason %q, outcome %s", e.Type, e.Reason, e.Outcome)
	}
	if len(e.Actor.ID) > MaxText || !strings.HasPrefix(e.Actor.ID, "éééé") || !strings.Contains(e.Actor.ID, "…(2048 bytes, sha256 ") {
		t.Errorf("a long id became %d bytes: %q", len(e.Actor.ID), e.Actor.ID)
	}
	if cut, _ := e.Details.Get("truncated"); cut != true {
		t.Errorf("long details became %s", e.Details)
	}
	if other := frozenEvents(t, Event{Type: "ok", Actor: Entity{ID: long + "!"}})[0]; other.Actor.ID[:900] != e.Actor.ID[:900] || other.Actor.ID == e.Actor.ID {
		t.Error("different long ids are the same once cut")
	}
}

func TestTimesFarOffAreInvalid(t *testing.T) {
	for _, at := range []time.Time{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if err := Direct(NewMemory()).Record(t.Context(), Event{Type: "ok", Time: at}); !errors.Is(err, ErrInvalid) {
			t.Errorf("%v: %v, want ErrInvalid", at, err)
		}
	}
}

func TestDirectStoresAtOnceOrSaysSo(t *testing.T) {
	m := NewMemory()
	if err := Direct(m).Record(t.Context(), Event{Type: "ok"}); err != nil || len(m.Events()) != 1 || m.Events()[0].ID.IsZero() {
		t.Errorf("%v, stored %v", err, m.Events())
	}
	err := Direct(sinkFunc(always2(errDown))).Record(t.Context(), Event{Type: "ok"})
	if !errors.Is(err, errDown) {
		t.Errorf("%v, want the sink's error", err)
	}
	err = Direct(sinkFunc(func(context.Context, []Event) error { panic("canary") })).Record(t.Context(), Event{Type: "ok"})
	if !errors.Is(err, ErrUnavailable) || strings.Contains(err.Error(), "canary") {
		t.Errorf("%v, want ErrUnavailable without what the panic said", err)
	}
	if err := Discard.Record(t.Context(), Event{}); err != nil {
		t.Error(err)
	}
}

func always2(err error) func(context.Context, []Event) error {
	return func(context.Context, []Event) error { return err }
}
