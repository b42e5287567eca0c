// SPDX-License-Identifier: MIT

package audit

import (
	"errors"
	"testing"
)

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
