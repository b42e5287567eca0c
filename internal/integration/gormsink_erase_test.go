// SPDX-License-Identifier: MIT

package integration

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

var (
	clerk  = gormsink.Erasure{By: audit.Entity{Type: "clerk", ID: "cleo"}, Reason: "request 7"}
	others = gormsink.Criteria{Types: []string{"test"}}
)

func erase(t *testing.T, s *gormsink.Sink, p gormsink.Person) gormsink.Erased {
	t.Helper()
	done, err := s.Erase(t.Context(), p, clerk)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// parsed returns details with exactly this text.
func parsed(t *testing.T, text string) audit.Details {
	t.Helper()
	d, err := audit.ParseDetails(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// eraseExactly has the guest 42 of a hotel, and whatever else has that number.
func eraseExactly(t *testing.T, db *gorm.DB) {
	ana := audit.Entity{Type: "guest", ID: "42", Name: "Ana"}
	ben := audit.Entity{Type: "guest", ID: "ben", Name: "Ben"}
	gone := parsed(t, `{"erased":true}`)
	full := audit.Event{Actor: ben, Session: "s", SourceAddress: "192.0.2.1", UserAgent: "kiosk", Details: parsed(t, `{"mail":"ana@example.org"}`)}
	with := func(change func(*audit.Event)) audit.Event {
		e := full
		change(&e)
		return e
	}
	details := func(text string) audit.Event { return with(func(e *audit.Event) { e.Details = parsed(t, text) }) }
	cases := []struct {
		name         string
		event, after audit.Event
	}{
		{"as the actor", with(func(e *audit.Event) { e.Actor = ana }), audit.Event{Actor: audit.Entity{Type: "guest"}, Details: gone}},
		{"as the resource", with(func(e *audit.Event) { e.Resource = ana }), with(func(e *audit.Event) { e.Resource.Type, e.Details = "guest", gone })},
		{"on whose behalf", with(func(e *audit.Event) { e.OnBehalfOf = ana }), with(func(e *audit.Event) { e.OnBehalfOf.Type, e.Details = "guest", gone })},
		{"as an object", details(`{"who":{"type":"guest","id":"42","name":"Ana","room":42}}`), details(`{"who":{"type":"guest","id":"erased","name":"erased","room":42}}`)},
		{"as an object with a number", details(`{"type":"guest","id":42}`), details(`{"type":"guest","id":"erased"}`)},
		{"under a key", details(`{"a":[{"held_by":"42"},{"held_by":42,"n":[42]},{"held_by":["42",43]}]}`), details(`{"a":[{"held_by":"erased"},{"held_by":"erased","n":[42]},{"held_by":["erased",43]}]}`)},
	}
	same := []audit.Event{
		with(func(e *audit.Event) { e.Actor = audit.Entity{Type: "admin", ID: "42", Name: "Root"} }),
		with(func(e *audit.Event) { e.Actor = audit.Entity{Type: "guest", ID: "420"} }),
		with(func(e *audit.Event) { e.Resource = audit.Entity{Type: "room", ID: "42"} }),
		details(`{"type":"room","id":"42"}`),
		details(`{"room":"42","price":42,"42":1,"held_by":{"room":"42"},"note":"42 nights","n":[42,"42"]}`),
		with(func(e *audit.Event) { e.Reason, e.Session, e.Correlation = "42", "42", "42" }),
	}
	elsewhere := with(func(e *audit.Event) { e.Actor, e.Tenant = ana, "hotel-b" })
	s := migrated(t, db)
	var events, want []audit.Event
	add := func(e, after audit.Event) {
		e.Type, after.Type = "test", "test"
		if e.Tenant == "" {
			e.Tenant, after.Tenant = "hotel-a", "hotel-a"
		}
		events, want = append(events, e), append(want, after)
	}
	for _, c := range cases {
		add(c.event, c.after)
	}
	for _, e := range same {
		add(e, e)
	}
	add(elsewhere, elsewhere)
	stored := record(t, s, events...)
	for i := range want {
		want[i].ID, want[i].Time = stored[i].ID, stored[i].Time
	}
	p := gormsink.Person{Type: "guest", ID: "42", Tenant: "hotel-a", Keys: []string{"held_by", "holder"}}
	if done := erase(t, s, p); done.Events != int64(len(cases)) || done.Possible != 5 || !done.Next.IsZero() {
		t.Errorf("%+v, want %d events, and 5 possible ones", done, len(cases))
	}
	for i, got := range query(t, s, others) {
		if got != want[i] {
			t.Errorf("event %d is\n%+v\nwant\n%+v", i, got, want[i])
		}
	}
	if done := erase(t, s, p); done.Events != 0 {
		t.Errorf("erased again: %+v; want nothing left", done)
	}
}

// eraseSpelled has ids that are easy to get wrong in JSON, SQL or a pattern.
func eraseSpelled(t *testing.T, db *gorm.DB) {
	s := migrated(t, db)
	long := strings.Repeat("u", 1100) // is cut, with a hash
	for _, id := range []string{"ana", `an"a\b`, "50%_'?", "josé <& sons>", "tab\tand 🏨", "a/b", "an\xffa", long} {
		recorded := record(t, s, audit.Event{Type: "frozen", Tenant: id, Actor: audit.Entity{ID: id}})[0].Actor.ID
		list := record(t, s,
			audit.Event{Type: "test", Tenant: id, Details: audit.Fields(slog.Group("conflicts", slog.String("holder", recorded), slog.Int("left", 3)), slog.String("z", recorded+"!"))},
			audit.Event{Type: "test", Tenant: id, Details: audit.JSON(map[string]any{"holder": []any{recorded, 1e3}})},
			audit.Event{Type: "test", Tenant: id, Details: parsed(t, `{"holder":"`+escaped(recorded)+`"}`)},
			audit.Event{Type: "test", Tenant: id, Details: audit.Fields(slog.String("note", "about "+recorded))})
		list[0].Details = audit.Fields(slog.Group("conflicts", slog.String("holder", "erased"), slog.Int("left", 3)), slog.String("z", recorded+"!"))
		list[1].Details = audit.JSON(map[string]any{"holder": []any{"erased", 1e3}})
		list[2].Details = parsed(t, `{"holder":"erased"}`)
		if done := erase(t, s, gormsink.Person{ID: id, Tenant: id, Keys: []string{"holder"}}); done.Events != 4 {
			t.Errorf("%.20q: %+v, want 3 events with it in details, and that of the actor", id, done)
		}
		if got := query(t, s, gormsink.Criteria{Tenant: id, Types: []string{"test"}}); !slices.Equal(got, list) {
			t.Errorf("%.20q: the trail is %v, want %v", id, got, list)
		}
	}
}

// escaped spells a text with escapes alone.
func escaped(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r > 0xffff {
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		} else {
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func eraseLong(t *testing.T, db *gorm.DB) {
	s := migrated(t, db)
	record(t, s,
		audit.Event{Type: "test", Details: parsed(t, `{"about":"guest-4711","note":"of guest-4711"}`)},
		audit.Event{Type: "test", Details: parsed(t, `{"about":"12345678"}`)})
	for id, want := range map[string]int64{"guest-4711": 1, "12345678": 0} {
		if done := erase(t, s, gormsink.Person{Type: "guest", ID: id}); done.Events != want || done.Possible != 1-want {
			t.Errorf("%s: %+v, want %d events", id, done, want)
		}
	}
	if got := query(t, s, others)[0].Details.String(); got != `{"about":"erased","note":"of guest-4711"}` {
		t.Errorf("the details are %s", got)
	}
}

func eraseNote(t *testing.T, db *gorm.DB) {
	s := migrated(t, db)
	record(t, s, audit.Event{Type: "test", Actor: audit.Entity{ID: "ana"}}, audit.Event{Type: "test", Actor: audit.Entity{ID: "ana"}})
	erase(t, s, gormsink.Person{ID: "ana"})
	erase(t, s, gormsink.Person{ID: "ben"})
	notes := query(t, s, gormsink.Criteria{Types: []string{gormsink.TypeErased}})
	if len(notes) != 1 || notes[0].Actor != clerk.By || notes[0].Reason != clerk.Reason || detail(t, notes[0], "events") != 2 || strings.Contains(fmt.Sprint(notes[0]), "ana") {
		t.Errorf("the notes are %+v", notes)
	}
	for _, c := range []struct {
		p gormsink.Person
		e gormsink.Erasure
	}{{gormsink.Person{}, clerk}, {gormsink.Person{ID: "ana"}, gormsink.Erasure{}}} {
		if _, err := s.Erase(t.Context(), c.p, c.e); !errors.Is(err, audit.ErrInvalid) {
			t.Errorf("%+v: %v, want ErrInvalid", c, err)
		}
	}
	// Without the note there is no erasure.
	record(t, s, audit.Event{Type: "test", Actor: audit.Entity{ID: "ana"}})
	onlyOne(t, db, "type", gormsink.TypeErased)
	if done, err := s.Erase(t.Context(), gormsink.Person{ID: "ana"}, clerk); !errors.Is(err, audit.ErrPermanent) || done.Events != 0 {
		t.Errorf("%+v, %v; want the error of the note", done, err)
	}
	if got := query(t, s, gormsink.Criteria{ActorID: "ana"}); len(got) != 1 {
		t.Errorf("%d events of the person are left, want the one of which no note could be written", len(got))
	}
}

func eraseDry(t *testing.T, db *gorm.DB) {
	s := migrated(t, db)
	all := record(t, s,
		audit.Event{Type: "test", Actor: audit.Entity{ID: "ana"}},
		audit.Event{Type: "test", Details: parsed(t, `{"x":"ana"}`)},
		audit.Event{Type: "test", Details: parsed(t, `{"x":"susana"}`)})
	done, err := s.Erase(t.Context(), gormsink.Person{ID: "ana"}, gormsink.Erasure{DryRun: true})
	if err != nil || done.Events != 1 || done.Possible != 1 {
		t.Errorf("%+v, %v; want one event and one possible one", done, err)
	}
	if got := query(t, s, gormsink.Criteria{}); !slices.Equal(got, all) {
		t.Errorf("the trail is %v, want %v", got, all)
	}
}

// eraseResumed has two pages.
func eraseResumed(t *testing.T, db *gorm.DB) {
	s := migrated(t, db)
	all := batch(t, 5250)
	for i := range all {
		all[i].Actor.ID = "ana"
		if i%100 != 0 {
			all[i].Actor.ID = "ben"
		}
	}
	store(t, s, all)
	first := erase(t, s, gormsink.Person{ID: "ana"})
	if first.Events != 53 {
		t.Errorf("%+v, want 53 events in two pages", first)
	}
	if notes := query(t, s, gormsink.Criteria{Types: []string{gormsink.TypeErased}}); len(notes) != 2 {
		t.Errorf("%d notes, want one for each page", len(notes))
	}
	done, err := s.Erase(t.Context(), gormsink.Person{ID: "ben"}, gormsink.Erasure{By: clerk.By, Reason: clerk.Reason, After: all[4999].ID})
	if err != nil || done.Events != 247 {
		t.Errorf("%+v, %v; want the 247 events after the first page", done, err)
	}
}

func eraseTwo(t *testing.T, db *gorm.DB) {
	s := migrated(t, db)
	all := batch(t, 900)
	for i := range all {
		all[i].Details = parsed(t, `{"held_by":"ana","wanted_by":"ben"}`)
	}
	store(t, s, all)
	var wg sync.WaitGroup
	for _, who := range []string{"ana", "ben"} {
		wg.Go(func() {
			done, err := s.Erase(t.Context(), gormsink.Person{ID: who, Keys: []string{"held_by", "wanted_by"}}, clerk)
			if err != nil || done.Events != 900 {
				t.Errorf("%s: %+v, %v", who, done, err)
			}
		})
	}
	wg.Wait()
	for _, e := range query(t, s, others) {
		if e.Details.String() != `{"held_by":"erased","wanted_by":"erased"}` {
			t.Fatalf("left is %s", e.Details)
		}
	}
}
