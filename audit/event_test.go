// SPDX-License-Identifier: MIT

package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// A line is refused as a whole, or is an event that is written and read again
// as it is.
func FuzzEventJSON(f *testing.F) {
	for _, seed := range []string{
		`{"id":"01890a5d-ac96-774b-bcce-b302099a8057","time":"2026-12-11T12:00:00.000001Z","type":"t","outcome":"success"}`,
		`{"id":"01890a5d-ac96-774b-bcce-b302099a8057","type":"t","outcome":"denied","actor_id":"a\u0000\n","details":{"a":\n1}}`,
		`{"id":"01890a5d-ac96-774b-bcce-b302099a8057","type":"t","outcome":"denied","time":"-0001-01-01T00:00:00Z"}`,
		`{"id":1}`, `[]`, `null`, ``, `{"Type":"t"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var e Event
		if err := e.UnmarshalJSON(line); err != nil {
			if !errors.Is(err, ErrInvalid) || e != (Event{}) {
				t.Fatalf("%q: %v, and the event is %+v", line, err, e)
			}
			return
		}
		if _, err := freeze(&e, e.Time, nil); err != nil {
			return // no log would have written it
		}
		written := e.AppendJSON(nil)
		if bytes.ContainsAny(written, "\n\r") {
			t.Fatalf("%q is more than a line", written)
		}
		var again Event
		if err := json.Unmarshal(written, &again); err != nil || !bytes.Equal(again.AppendJSON(nil), written) {
			t.Fatalf("%q was written %q and read as %+v, %v", line, written, again, err)
		}
	})
}

func TestEventsReadBackFromTheirLineAsTheyWere(t *testing.T) {
	d, err := ParseDetails(`{ "b" : 1e3, "a":"x\ny", "b":[ ] }`)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range frozenEvents(t, Event{Type: "bare"}, Event{
		Time: time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC), Type: "full\n\"", Outcome: Denied, Reason: "\u2028 \\ \x7f",
		Actor: Entity{"guest", "ana", "Ana"}, Resource: Entity{"room", "101", "Room 101"},
		Tenant: "t", Session: "s", Correlation: "c", TraceID: "i", Details: d,
	}) {
		line := e.AppendJSON(nil)
		var got Event
		if err := json.Unmarshal(line, &got); err != nil || got != e || bytes.IndexByte(line, '\n') >= 0 {
			t.Errorf("%s\nreads as %+v, %v; want %+v", line, got, err, e)
		}
	}
	d, err = ParseDetails("{\"a\":\r\n1}")
	if err != nil {
		t.Fatal(err)
	}
	e := frozenEvents(t, Event{Type: "x", Details: d})[0]
	if line := e.AppendJSON(nil); !strings.HasSuffix(string(line), `"details":{"a":  1}}`) {
		t.Errorf("line breaks in details: %s", line)
	}
}

func TestLinesThatAreNoEventAreInvalidAndNotQuoted(t *testing.T) {
	const id = `"id":"01890a5d-ac96-774b-bcce-b302099a8057"`
	for _, line := range []string{
		`canary`, `[]`, `{}`, `{` + id + `}`, `{"type":"canary"}`, `{` + id + `,"type":"t","outcome":"canary"}`, `{"id":"canary","type":"t","outcome":"success"}`,
		`{` + id + `,"type":"t","outcome":"success","time":"canary"}`, `{` + id + `,"type":"t","outcome":"success","details":["canary"]}`,
		`{` + id + `,"type":"t","outcome":"success","reason":7}`,
	} {
		e := Event{Type: "untouched"}
		if err := e.UnmarshalJSON([]byte(line)); !errors.Is(err, ErrInvalid) || strings.Contains(err.Error(), "canary") || e.Type != "untouched" {
			t.Errorf("%s: %v, want ErrInvalid that does not quote it", line, err)
		}
	}
}

// Lines have no version: the next one may add names, the one before may lack
// some.
func TestLinesOfOtherVersionsAreRead(t *testing.T) {
	want := frozenEvents(t, Event{Type: "t", Outcome: Denied})[0]
	line := string(want.AppendJSON(nil))
	for version, line := range map[string]string{
		"this one": line,
		"the next": strings.TrimSuffix(line, "}") + `,"region":{"name":"north"},"actor_roles":["clerk"]}`,
	} {
		var got Event
		if err := json.Unmarshal([]byte(line), &got); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", version, got, err, want)
		}
	}
	var got Event
	bare := fmt.Sprintf(`{"id":%q,"type":"t","outcome":"denied"}`, want.ID)
	if err := json.Unmarshal([]byte(bare), &got); err != nil || got != (Event{ID: want.ID, Type: "t", Outcome: Denied}) {
		t.Errorf("the one before: %+v, %v; want the fields that it has", got, err)
	}
}
