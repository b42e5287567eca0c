// SPDX-License-Identifier: MIT

package audit

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

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
