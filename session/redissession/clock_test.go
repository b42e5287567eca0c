// SPDX-License-Identifier: MIT

package redissession

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
)

// The partition remembers the revision of a record that goes only while the
// clock has not passed it: then the next record of that place would repeat it.
func TestARevisionIsRememberedUntilTheClockHasPassedIt(t *testing.T) {
	const forget = time.Duration(-1)
	for name, c := range map[string]struct {
		back time.Duration // by how much the clock steps back before the record is deleted
		want time.Duration // how long its revision is remembered
	}{
		"a microsecond later":          {-time.Microsecond, forget},
		"within the same microsecond":  {0, time.Millisecond},
		"a microsecond earlier":        {time.Microsecond, 2 * time.Millisecond},
		"1.5 ms earlier":               {1500 * time.Microsecond, 3 * time.Millisecond},
		"an hour earlier":              {time.Hour, time.Hour + time.Millisecond},
		"more, which is a damaged one": {time.Hour + time.Microsecond, forget},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, m := redistest.Virtual(t)
				s, start := New(client), time.Now().Add(987654*time.Microsecond)
				m.SetTime(start)
				r := done(t)(s.Create(t.Context(), newWrite("x"))).Record
				m.SetTime(start.Add(-c.back))
				if n, err := s.Delete(t.Context(), session.Removal{Space: space, Handles: []session.Hash{r.Hash}}); n != 1 || err != nil {
					t.Fatalf("deleted %d, %v", n, err)
				}
				noted := string(s.slotOf(space, r.Hash)) + "r"
				got, _ := client.Get(t.Context(), noted).Result()
				if left := client.PTTL(t.Context(), noted).Val(); c.want == forget && got != "" {
					t.Errorf("remembered %q", got)
				} else if c.want != forget && (got != strconv.FormatUint(r.Rev, 10) || left != c.want) {
					t.Errorf("remembered %q for %v, want %d for %v", got, left, r.Rev, c.want)
				}
			})
		})
	}
}

func TestALowerRevisionDoesNotReplaceTheOneThatIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, m := redistest.Virtual(t)
		s, start := New(client), time.Now()
		m.SetTime(start)
		first := done(t)(s.Create(t.Context(), newWrite("x"))).Record
		second := done(t)(s.Save(t.Context(), next(done(t)(s.Create(t.Context(), newWrite("x"))), "y"))).Record
		for _, h := range []session.Hash{second.Hash, first.Hash} {
			if _, err := s.Delete(t.Context(), session.Removal{Space: space, Handles: []session.Hash{h}}); err != nil {
				t.Fatal(err)
			}
		}
		w := newWrite("again")
		w.Handle = second.Handle
		if again := done(t)(s.Create(t.Context(), w)).Record; again.Rev <= second.Rev {
			t.Errorf("revision %d after %d: an old handle could overwrite a new session", again.Rev, second.Rev)
		}
	})
}
