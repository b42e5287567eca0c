// SPDX-License-Identifier: MIT

package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
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

// Sinks that make no sense are an error of New, and of the first call of what
// returns no error itself. It names what is missing.
func TestSinksThatMakeNoSenseAreRefused(t *testing.T) {
	yes := func(Event) bool { return true }
	good := NewMemory()
	var memory *Memory
	var function sinkFunc
	for name, c := range map[string]struct {
		sink Sink
		want string
	}{
		"a nil pointer":                 {memory, "New needs a sink"},
		"a nil function":                {function, "New needs a sink"},
		"Filter of nil":                 {Filter(nil, yes), "Filter needs a sink"},
		"Filter of a nil pointer":       {Filter(memory, yes), "Filter needs a sink"},
		"Filter by nil":                 {Filter(good, nil), "Filter needs a function"},
		"Multi of none":                 {Multi(), "Multi needs a sink"},
		"Multi with nil":                {Multi(good, nil), "place 2 of Multi needs a sink"},
		"Multi with a nil pointer":      {Multi(memory, good), "place 1 of Multi needs a sink"},
		"Multi of what makes no sense":  {Multi(good, Filter(good, nil)), "Filter needs a function"},
		"Filter of what makes no sense": {Filter(Multi(good, nil), yes), "place 2 of Multi needs a sink"},
	} {
		if _, err := New(c.sink, Config{}); !errors.Is(err, ErrInvalid) || err.Error() != "audit: invalid: "+c.want {
			t.Errorf("New with %s: %v, want ErrInvalid: %s", name, err, c.want)
		}
		if err := Direct(c.sink).Record(t.Context(), Event{Type: "ok"}); !errors.Is(err, ErrInvalid) {
			t.Errorf("Direct with %s: %v, want ErrInvalid", name, err)
		}
	}
	if err := Direct(nil).Record(t.Context(), Event{Type: "ok"}); !errors.Is(err, ErrInvalid) {
		t.Errorf("Direct(nil): %v, want ErrInvalid", err)
	}
	if len(good.Events()) != 0 {
		t.Errorf("stored %v", good.Events())
	}
}

func TestNilOptionsObserversAndDeadLettersAreNone(t *testing.T) {
	sink := newScripted(poisonous)
	var letters *Memory
	l := newLog(t, sink, Config{DeadLetter: letters, Observer: observerFunc(nil)})
	if err := l.Record(t.Context(), Event{Type: "bad"}); err != nil {
		t.Fatal(err)
	}
	if loss, ok := errors.AsType[*LossError](l.Close(t.Context())); !ok || len(loss.IDs) != 1 {
		t.Errorf("close: %v, want the loss of the one event", loss)
	}
	if n := l.Stats().ObserverPanics; n != 0 {
		t.Errorf("%d panics counted, want none", n)
	}
	j := NewJSONLines(t.TempDir()+"/trail.jsonl", nil, WithRotation(1), nil)
	defer j.Close()
	mustWrite(t, j, frozenEvents(t, Event{Type: "ok"}))
}

func TestTheZeroMemoryIsReady(t *testing.T) {
	var m Memory
	mustWrite(t, &m, frozenEvents(t, Event{Type: "ok"}))
	if n := len(m.Events()); n != 1 {
		t.Errorf("%d events are stored, want 1", n)
	}
}

func TestFilterHandsOnWhatIsWanted(t *testing.T) {
	m := NewMemory()
	sink := Filter(m, func(e Event) bool { return e.Outcome == Denied })
	batch := frozenEvents(t, Event{Type: "a", Outcome: Denied}, Event{Type: "b"}, Event{Type: "c", Outcome: Denied})
	before := slices.Clone(batch)
	if err := sink.Write(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if err := sink.Write(t.Context(), batch[1:2]); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(m.Events(), []Event{batch[0], batch[2]}) || !slices.Equal(batch, before) {
		t.Errorf("stored %v", m.Events())
	}
}

func TestFilterThatPanicsRefusesTheEventAndNothingElse(t *testing.T) {
	m, letters := NewMemory(), NewMemory()
	sink := Filter(m, func(e Event) bool {
		if e.Reason == "2" {
			panic("canary")
		}
		return e.Reason != "3"
	})
	l := newLog(t, sink, Config{DeadLetter: letters})
	mustRecord(t, l, 5)
	loss, ok := errors.AsType[*LossError](l.Close(t.Context()))
	if !ok || len(loss.IDs) != 1 || strings.Contains(loss.Error(), "canary") {
		t.Errorf("close: %v, want one loss that does not quote the panic", loss)
	}
	wantTrail(t, m.Events(), "0", "1", "4", "filtered 1 filtered", "dropped 1 poisoned")
	wantTrail(t, letters.Events(), "2")
}

// Of what the sink behind a filter says, all comes through.
func TestFilterPassesTheAnswerOn(t *testing.T) {
	all := func(Event) bool { return true }
	batch := frozenEvents(t, Event{Type: "a"}, Event{Type: "b"})
	partly := &BatchError{Failed: map[ID]error{batch[1].ID: errDown}}
	for _, want := range []error{nil, errDown, fmt.Errorf("no: %w", ErrPermanent), partly} {
		got := Filter(sinkFunc(always2(want)), all).Write(t.Context(), batch)
		partial, isPartial := errors.AsType[*BatchError](got)
		if isPartial != (want == partly) || !isPartial && !errors.Is(got, want) || isPartial && partial.Failed[batch[1].ID] != errDown {
			t.Errorf("%v, want %v", got, want)
		}
	}
}
