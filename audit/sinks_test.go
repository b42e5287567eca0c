// SPDX-License-Identifier: MIT

package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func frozenEvents(t *testing.T, events ...Event) []Event {
	t.Helper()
	m := NewMemory()
	for _, e := range events {
		if err := Direct(m).Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	return m.Events()
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

func TestSlogWritesOneRecordAnEventWhateverTheLevel(t *testing.T) {
	var out bytes.Buffer
	handler := slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelError})
	batch := frozenEvents(t,
		Event{Type: "lock.acquired", Outcome: Success, Actor: Entity{ID: "a\nna"}, Details: Fields(slog.Int("nights", 3))},
		Event{Type: "lock.lost", Outcome: Failure})
	if err := NewSlog(slog.New(handler)).Write(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines, want 2:\n%s", len(lines), out.String())
	}
	for _, part := range []string{`"level":"INFO"`, `"msg":"lock.acquired"`, `"actor_id":"a\nna"`, `"details":{"nights":3}`, `"id":"` + batch[0].ID.String()} {
		if !strings.Contains(lines[0], part) {
			t.Errorf("no %s in %s", part, lines[0])
		}
	}
	if !strings.Contains(lines[1], `"level":"WARN"`) || strings.Contains(lines[1], "actor") {
		t.Errorf("got %s", lines[1])
	}
}

// failing is a handler that fails from its second record on.
type failing struct {
	slog.Handler
	n int
}

func (f *failing) Handle(context.Context, slog.Record) error {
	if f.n++; f.n > 1 {
		return errDown
	}
	return nil
}

func TestSlogSaysWhichEventsFailed(t *testing.T) {
	batch := frozenEvents(t, Event{Type: "a"}, Event{Type: "b"}, Event{Type: "c"})
	err := NewSlog(slog.New(&failing{Handler: slog.DiscardHandler})).Write(t.Context(), batch)
	partial, ok := errors.AsType[*BatchError](err)
	if !ok || len(partial.Failed) != 2 || partial.Failed[batch[0].ID] != nil || err.Error() != "audit: 2 events of the batch were not stored" {
		t.Errorf("%v, want the second and third event to have failed", err)
	}
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(slog.DiscardHandler))
	if err := NewSlog(nil).Write(t.Context(), batch); err != nil {
		t.Errorf("the default logger: %v", err)
	}
}

func TestMultiAnswersWithWhatAsksForTheMost(t *testing.T) {
	batch := frozenEvents(t, Event{Type: "a"}, Event{Type: "b"})
	partly := func(i int) error { return &BatchError{Failed: map[ID]error{batch[i].ID: errDown}} }
	refused := fmt.Errorf("no: %w", ErrPermanent)
	for name, c := range map[string]struct {
		answers          []error
		again, permanent bool
		failed           int
	}{
		"all stored":           {answers: []error{nil, nil}},
		"one down":             {answers: []error{nil, errDown}, again: true},
		"down beats refused":   {answers: []error{refused, errDown, partly(0)}, again: true},
		"refused beats partly": {answers: []error{partly(0), refused}, permanent: true},
		"partly is added up":   {answers: []error{partly(0), nil, partly(1)}, failed: 2},
	} {
		var sinks []Sink
		for _, err := range c.answers {
			sinks = append(sinks, sinkFunc(always2(err)))
		}
		m := NewMemory()
		err := Multi(append(sinks, m)...).Write(t.Context(), batch)
		partial, isPartial := errors.AsType[*BatchError](err)
		if (err == nil) != (!c.again && !c.permanent && c.failed == 0) || errors.Is(err, ErrPermanent) != c.permanent || isPartial != (c.failed > 0) {
			t.Errorf("%s: %v", name, err)
		}
		if isPartial && len(partial.Failed) != c.failed {
			t.Errorf("%s: %v", name, partial.Failed)
		}
		if len(m.Events()) != 2 {
			t.Errorf("%s: a sink that works has %d events, want 2", name, len(m.Events()))
		}
	}
}
