// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	wantTrail(t, m.Events(), "0", "1", "4", "dropped 1 poisoned")
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

var hotelKey = []byte("0123456789abcdef")

func TestRedactDropsAndPseudonymizes(t *testing.T) {
	person := Pseudonymize("2026", hotelKey, "actor_id", "details.holder", "details.conflicts.*.holder", "details.list")
	m := NewMemory()
	sink := Redact(m, Omit("actor_name", "session_id", "details.mail", "details.address"), person)
	text := `{ "mail" : "a@b", "holder":"ana","conflicts":{"0":{"holder":"ana","left":3},"1":{"holder":"ben"}},` +
		`"address":{"street":["x","y"]},"list":["ana",7,null,{"n":true}],"hol\u0064er":"ana","other":"ana" }`
	d, err := ParseDetails(text)
	if err != nil {
		t.Fatal(err)
	}
	before := frozenEvents(t, Event{Type: "x", Reason: "why", Actor: Entity{Type: "guest", ID: "ana", Name: "Ana"}, Session: "s", Tenant: "hotel", Details: d})
	batch := slices.Clone(before)
	if err := sink.Write(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(batch, before) {
		t.Error("the batch was changed: a sink beside this one gets it as well")
	}
	ana, ben, p := person.Pseudonym("ana"), person.Pseudonym("ben"), person.Pseudonym
	want := before[0]
	want.Actor.ID, want.Actor.Name, want.Session = ana, "", ""
	want.Details = Details{text: fmt.Sprintf(`{ "mail" : null, "holder":%q,"conflicts":{"0":{"holder":%q,"left":3},"1":{"holder":%q}},`+
		`"address":null,"list":[%q,%q,null,{"n":%q}],"hol\u0064er":%q,"other":"ana" }`, ana, ana, ben, ana, p("7"), p("true"), ana)}
	if got := m.Events()[0]; got != want {
		t.Errorf("stored\n%+v, want\n%+v", got, want)
	}
	if !strings.HasPrefix(ana, "hmac:2026:") || len(ana) != len("hmac:2026:")+32 || ana == ben || p("") != "" {
		t.Errorf("pseudonyms %q and %q", ana, ben)
	}
	if other := Pseudonymize("2026", []byte("fedcba9876543210"), "actor_id").Pseudonym("ana"); other == ana {
		t.Error("another key gives the same pseudonym")
	}
}

func TestRedactOfAllDetails(t *testing.T) {
	e := Event{Type: "x", Details: Fields(slog.String("a", "1"), slog.Group("g", "b", 2))}
	for _, c := range []struct {
		rule Redaction
		want func(Redaction) string
	}{
		{Omit("details"), func(Redaction) string { return "" }},
		{Pseudonymize("k", hotelKey, "details"), func(r Redaction) string {
			return fmt.Sprintf(`{"a":%q,"g":{"b":%q}}`, r.Pseudonym("1"), r.Pseudonym("2"))
		}},
	} {
		m := NewMemory()
		if err := Direct(Redact(m, c.rule)).Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if got := m.Events()[0].Details.String(); got != c.want(c.rule) {
			t.Errorf("stored %s, want %s", got, c.want(c.rule))
		}
	}
}

// Pseudonyms are longer than most values; the bound on details holds all the
// same.
func TestRedactedDetailsStayBounded(t *testing.T) {
	m := NewMemory()
	list := make([]int, 2000)
	if err := Direct(Redact(m, Pseudonymize("k", hotelKey, "details"))).Record(t.Context(), Event{Type: "x", Details: JSON(map[string]any{"l": list})}); err != nil {
		t.Fatal(err)
	}
	if cut, _ := m.Events()[0].Details.Get("truncated"); cut != true {
		t.Errorf("stored %d bytes of details", len(m.Events()[0].Details.String()))
	}
}

func TestAPersonIsFoundByPseudonymInARedactedLog(t *testing.T) {
	rule := Pseudonymize("k", hotelKey, "actor_id")
	m := NewMemory()
	l := newLog(t, Redact(m, rule), Config{})
	if err := l.Record(context.Background(), Event{Type: "x", Actor: Entity{ID: "ana"}}); err != nil {
		t.Fatal(err)
	}
	mustClose(t, l)
	if got := m.Events()[0].Actor.ID; got != rule.Pseudonym("ana") {
		t.Errorf("stored %q", got)
	}
}

// FuzzRewrite replaces what is not there: no text may change, and no valid
// JSON may be too much.
func FuzzRewrite(f *testing.F) {
	f.Add(`{"a":[1,{"b":"c\"\\"}],"":null}`, "b")
	f.Fuzz(func(t *testing.T, text, old string) {
		d, err := ParseDetails(text)
		if err != nil {
			return
		}
		e := d.ReplaceText(old, old+"!")
		if again := e.ReplaceText(old+"!", old+"?").ReplaceText(old, ""); again.Err() != nil {
			t.Error(again.Err())
		}
		if _, err := ParseDetails(e.String()); err != nil {
			t.Errorf("%q became %q", text, e)
		}
		if !strings.Contains(text, `\`) && !strings.Contains(text, `"`+old+`"`) && e != d {
			t.Errorf("%q became %q", text, e)
		}
	})
}
