// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

var hotelKey = []byte("0123456789abcdef")

// redacted is e as a log with the rules stores it.
func redacted(t *testing.T, e Event, rules ...Redaction) Event {
	t.Helper()
	m := NewMemory()
	l := newLog(t, m, Config{Redact: rules})
	e.Type = "ok"
	if err := l.Record(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	mustClose(t, l)
	return m.Events()[0]
}

func parse(t *testing.T, text string) Details {
	t.Helper()
	d, err := ParseDetails(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestRedactOmitsAndPseudonymizes(t *testing.T) {
	person := Pseudonymize("2026", hotelKey, "actor_id", "details.holder", "details.conflicts.*.holder", "details.list")
	text := `{ "mail" : "a@b", "holder":"ana","conflicts":{"room/1.5":{"holder":"ana","left":3},"1":{"holder":"ben"}},` +
		`"address":{"street":["x","y"]},"list":["ana",7,null,{"n":true}],"hol\u0064er":"ana","other":"ana" }`
	got := redacted(t, Event{Reason: "why", Actor: Entity{Type: "guest", ID: "ana", Name: "Ana"}, Session: "s", Tenant: "hotel", Details: parse(t, text)},
		Omit("actor_name", "session_id", "details.mail", "details.address"), person)

	ana, ben, p := person.Pseudonym("ana"), person.Pseudonym("ben"), person.Pseudonym
	want := got
	want.Reason, want.Actor, want.Session, want.Tenant = "why", Entity{Type: "guest", ID: ana}, "", "hotel"
	want.Details = Details{text: fmt.Sprintf(`{ "mail" : null, "holder":%q,"conflicts":{"room/1.5":{"holder":%q,"left":3},"1":{"holder":%q}},`+
		`"address":null,"list":[%q,%q,null,{"n":%q}],"hol\u0064er":%q,"other":"ana" }`, ana, ana, ben, ana, p("7"), p("true"), ana)}
	if got != want {
		t.Errorf("stored\n%+v, want\n%+v", got, want)
	}
	if !strings.HasPrefix(ana, "hmac:2026:") || len(ana) != len("hmac:2026:")+32 || ana == ben || p("") != "" {
		t.Errorf("pseudonyms %q and %q", ana, ben)
	}
	if other := Pseudonymize("2026", []byte("fedcba9876543210"), "actor_id").Pseudonym("ana"); other == ana {
		t.Error("another key gives the same pseudonym")
	}
}

func TestARuleFindsWhatItNames(t *testing.T) {
	for _, c := range []struct{ rule, text, want string }{
		{"details.user.mail", `{"user":{"mail":"x","n":1}}`, `{"user":{"mail":null,"n":1}}`},
		{"details.user.mail", `{"user.mail":"x","user":1}`, `{"user.mail":null,"user":1}`},
		{"details.a.b.c", `{"a.b":{"c":1},"a":{"b.c":2,"b":{"c":3}},"a.b.c":4}`, `{"a.b":{"c":null},"a":{"b.c":null,"b":{"c":null}},"a.b.c":null}`},
		{"details.user", `{"user.mail":"x","user":{"n":1},"username":2}`, `{"user.mail":null,"user":null,"username":2}`},
		{"details.mail", `{"user":{"mail":1},"user.mail":2,"mail.x":3,"email":4}`, `{"user":{"mail":1},"user.mail":2,"mail.x":null,"email":4}`},
		{"details.*.mail", `{"a":{"mail":1},"a.b":{"mail":2},"a.mail":3,"mail":4}`, `{"a":{"mail":null},"a.b":{"mail":null},"a.mail":null,"mail":4}`},
		{"details.list.*.mail", `{"list":[{"mail":1},{"n":2}]}`, `{"list":[{"mail":null},{"n":2}]}`},
		{"details.list.1", `{"list":[1,2,3]}`, `{"list":[1,null,3]}`},
		{"details.**.mail", `{"mail":1,"a":{"mail":2,"b":[{"x.mail":3}]},"mails":4}`, `{"mail":null,"a":{"mail":null,"b":[{"x.mail":null}]},"mails":4}`},
		{"details.a.**.c", `{"c":1,"a":{"c":2,"b":{"c":3}}}`, `{"c":1,"a":{"c":null,"b":{"c":null}}}`},
		{"details.**.a.**.b", `{"x":{"a":{"y":{"b":1}},"b":2}}`, `{"x":{"a":{"y":{"b":null}},"b":2}}`},
		{"details.**", `{"a":1,"b":{"c":2}}`, ``},
	} {
		got := redacted(t, Event{Details: parse(t, c.text)}, Omit(c.rule)).Details.String()
		if got != c.want {
			t.Errorf("%s of %s\nis   %s\nwant %s", c.rule, c.text, got, c.want)
		}
	}
}

func TestKeysAreFoundInAnyCaseWhenAsked(t *testing.T) {
	d := JSON(map[string]any{"Email": "x", "user": map[string]any{"EMAIL": "y"}})
	rule := Omit("details.**.email")
	if got := redacted(t, Event{Details: d}, rule).Details; got != d {
		t.Errorf("not asked: %s", got)
	}
	if got := redacted(t, Event{Details: d}, rule.AnyCase()).Details.String(); got != `{"Email":null,"user":{"EMAIL":null}}` {
		t.Errorf("asked: %s", got)
	}
}

func TestRedactOfAllDetails(t *testing.T) {
	d := Fields(slog.String("a", "1"), slog.Group("g", "b", 2))
	if got := redacted(t, Event{Details: d}, Omit("details")).Details; !got.IsZero() {
		t.Errorf("omitted details are %s", got)
	}
	rule := Pseudonymize("k", hotelKey, "details")
	want := fmt.Sprintf(`{"a":%q,"g":{"b":%q}}`, rule.Pseudonym("1"), rule.Pseudonym("2"))
	if got := redacted(t, Event{Details: d}, rule).Details.String(); got != want {
		t.Errorf("stored %s, want %s", got, want)
	}
}

// Whatever takes events from a log gets them redacted.
func TestNoWayOutOfALogHasMoreThanTheRulesLeave(t *testing.T) {
	type secret struct{}
	letters, direct := NewMemory(), NewMemory()
	l := newLog(t, newScripted(always(ErrPermanent)), Config{
		DeadLetter: letters, Redact: []Redaction{Omit("actor_name", "session_id")},
		Enrich: func(ctx context.Context, e *Event) { e.Session, _ = ctx.Value(secret{}).(string) },
	})
	ctx := context.WithValue(t.Context(), secret{}, "canary")
	e := Event{Type: "ok", Reason: "why", Actor: Entity{Name: "canary"}}
	if err := errors.Join(l.Record(ctx, e), l.Direct(direct).Record(ctx, e)); err != nil {
		t.Fatal(err)
	}
	_ = l.Close(t.Context())
	for name, m := range map[string]*Memory{"dead letters": letters, "Direct": direct} {
		if len(m.Events()) != 1 || m.Events()[0].Reason != "why" || strings.Contains(fmt.Sprint(m.Events()), "canary") {
			t.Errorf("%s: %+v", name, m.Events())
		}
	}
}

// A hash of a text with a PIN in it gives the PIN away.
func TestNothingIsHashedOrCutBeforeItIsRedacted(t *testing.T) {
	rule := Pseudonymize("k", hotelKey, "actor_id")
	long := strings.Repeat("u", 2*MaxText)
	pad := strings.Repeat("x", 2*MaxDetails)
	store := func(pin string) Event {
		return redacted(t, Event{Actor: Entity{ID: long}, Reason: pin + long, Details: Fields(slog.String("pin", pin), slog.String("pad", pad))},
			rule, Omit("reason", "details.pin"))
	}
	a, b := store("1234"), store("9876")
	if a.Details != b.Details || a.Reason != "" || !strings.Contains(a.Details.String(), "sha256") {
		t.Errorf("the shortened details depend on what was omitted: %s and %s", a.Details, b.Details)
	}
	if a.Actor.ID != rule.Pseudonym(long) {
		t.Errorf("the pseudonym is that of the shortened id: %s", a.Actor.ID)
	}
}

// Pseudonyms are longer than most values; the bound on details holds all the
// same.
func TestRedactedDetailsStayBounded(t *testing.T) {
	list := make([]int, 2000)
	got := redacted(t, Event{Details: JSON(map[string]any{"l": list})}, Pseudonymize("k", hotelKey, "details")).Details
	if cut, _ := got.Get("truncated"); cut != true {
		t.Errorf("stored %d bytes of details", len(got.String()))
	}
}

func TestARuleThatCanMatchNothingIsRefused(t *testing.T) {
	person := Pseudonymize("k", hotelKey, "actor_id")
	for name, rules := range map[string][]Redaction{
		"no field":            {Omit()},
		"no such field":       {Omit("actor")},
		"an id":               {Pseudonymize("k", hotelKey, "id")},
		"the type":            {Omit("type")},
		"details of nothing":  {Omit("details.")},
		"an empty key":        {Omit("details.a..b")},
		"too many keys":       {Omit("details" + strings.Repeat(".a", 64))},
		"twice":               {Omit("actor_id"), person},
		"a pseudonym of one":  {person, person},
		"below what is gone":  {Omit("details.user"), Pseudonymize("k", hotelKey, "details.user.mail")},
		"details that are so": {Omit("details"), Omit("details.mail")},
		"a short key":         {Pseudonymize("k", []byte("short"), "actor_id")},
		"a key without name":  {Pseudonymize("", hotelKey, "actor_id")},
		"a name with a space": {Pseudonymize("a b", hotelKey, "actor_id")},
	} {
		if _, err := New(NewMemory(), Config{Redact: rules}); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	_, err := New(NewMemory(), Config{Redact: []Redaction{Omit("details"), Omit("details.mail")}})
	if err == nil || err.Error() != "audit: Config.Redact is \"details.mail\", want each field once, and none below one that is omitted" {
		t.Errorf("the error is %v", err)
	}
	if _, err := New(NewMemory(), Config{Redact: []Redaction{Omit("details.user"), Omit("details.username"), person, Omit("actor_name")}}); err != nil {
		t.Errorf("rules of their own: %v", err)
	}
}

// FuzzRewrite applies rules to any details: they stay valid JSON, and nothing changes
// where no key is.
func FuzzRewrite(f *testing.F) {
	f.Add(`{"a":[1,{"b":"c\"\\"}],"":null}`, "b")
	f.Fuzz(func(t *testing.T, text, key string) {
		d, err := ParseDetails(text)
		if err != nil {
			return
		}
		for _, rule := range []Redaction{Omit("details.**." + key), Pseudonymize("k", hotelKey, "details.**."+key)} {
			if rule.err != nil {
				continue
			}
			e := Event{Details: d}
			rule.apply(&e)
			if _, err := ParseDetails(e.Details.String()); err != nil {
				t.Errorf("%q became %q", text, e.Details)
			}
			plain := !strings.ContainsAny(key, "*.") && strings.Trim(key, "0123456789") != ""
			if plain && !strings.Contains(text, `\`) && !strings.Contains(text, key) && e.Details != d {
				t.Errorf("%q became %q, and has no %q", text, e.Details, key)
			}
		}
	})
}
