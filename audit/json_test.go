// SPDX-License-Identifier: MIT

package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
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
