// SPDX-License-Identifier: MIT

package gormsink

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/DATA-DOG/go-sqlmock"

	"github.com/holdfast-go/holdfast/audit"
)

// These tests are about the statements and what happens when one fails. What they
// do to a trail is tested on real databases, in internal/integration.

// step is a statement that a test expects: its beginning, and the answer.
type step struct {
	query string
	rows  *sqlmock.Rows // nil: no rows are read
}

func expectSteps(mock sqlmock.Sqlmock, steps []step) {
	for _, s := range steps {
		switch {
		case s.query == "BEGIN":
			mock.ExpectBegin()
		case s.query == "COMMIT":
			mock.ExpectCommit()
		case s.rows != nil:
			mock.ExpectQuery(s.query).WillReturnRows(s.rows)
		default:
			mock.ExpectExec(s.query).WillReturnResult(sqlmock.NewResult(0, 3))
		}
	}
}

// failing runs call once for each step, which fails, and wants the error.
func failing(t *testing.T, database string, steps func() []step, call func(*Sink) error) {
	t.Helper()
	for i, step := range steps() {
		if step.query == "BEGIN" {
			continue
		}
		s, mock := mocked(t, database)
		before := steps()[:i]
		expectSteps(mock, before)
		switch {
		case step.query == "COMMIT":
			mock.ExpectCommit().WillReturnError(errCut)
		case step.rows != nil:
			mock.ExpectQuery(step.query).WillReturnError(errCut)
		default:
			mock.ExpectExec(step.query).WillReturnError(errCut)
		}
		if step.query != "COMMIT" && len(before) > 0 && before[0].query == "BEGIN" {
			mock.ExpectRollback()
		}
		if err := call(s); !errors.Is(err, audit.ErrUnavailable) || !errors.Is(err, errCut) {
			t.Errorf("%s, failing at %s: %v, want ErrUnavailable and the cause", database, step.query, err)
		}
	}
}

func purgeSteps(database string) []step {
	stream := audit.NewID().String()
	groups := sqlmock.NewRows([]string{"stream", "lowest", "highest", "numbered", "events"}).AddRow(nil, nil, nil, 0, 1).AddRow(stream, 4, 5, 2, 2)
	edge := sqlmock.NewRows([]string{"id", "occurred_at"})
	const where = "occurred_at < \\? AND tenant <> '' AND tenant = \\? AND type = \\?"
	last := "SELECT id, occurred_at FROM lock_audit WHERE occurred_at < \\? AND tenant <> '' AND tenant = \\? ORDER BY occurred_at, id LIMIT 1 OFFSET \\?"
	switch database {
	case "postgres":
		return []step{{"BEGIN", nil}, {last, edge}, {"WITH gone AS \\(DELETE FROM lock_audit WHERE " + where + " RETURNING stream, seq\\)", groups}, {"INSERT", nil}, {"COMMIT", nil}}
	case "sqlite":
		return []step{{"BEGIN", nil}, {"DELETE FROM lock_audit WHERE 1 = 0", nil}, {last, edge}, {"SELECT stream, MIN.* WHERE " + where + " GROUP BY stream$", groups}, {"DELETE FROM lock_audit WHERE " + where, nil}, {"INSERT", nil}, {"COMMIT", nil}}
	}
	return []step{{"BEGIN", nil}, {last, edge}, {"SELECT stream, MIN.* WHERE " + where + " GROUP BY stream FOR UPDATE$", groups}, {"DELETE FROM lock_audit WHERE " + where, nil}, {"INSERT", nil}, {"COMMIT", nil}}
}

func TestPurgeDeletesAPageAndWritesItsNotesInOneTransaction(t *testing.T) {
	e := Expiry{Before: time.UnixMicro(5000), Type: "seen", Tenant: "hotel"}
	for _, database := range []string{"postgres", "sqlite", "mysql"} {
		s, mock := mocked(t, database)
		expectSteps(mock, purgeSteps(database))
		if n, err := s.Purge(t.Context(), e); n != 3 || err != nil {
			t.Errorf("%s: %d, %v", database, n, err)
		}
		failing(t, database, func() []step { return purgeSteps(database) }, func(s *Sink) error {
			n, err := s.Purge(t.Context(), e)
			if n != 0 {
				t.Errorf("%s: %d deleted in a page that failed", database, n)
			}
			return err
		})
	}
}

// A note could not say what it deleted, and a database may count it as long ago.
func TestPurgeOfWhatIsOlderThanAnyTimeOfAnEventIsRefused(t *testing.T) {
	for _, before := range []time.Time{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(1<<50, 0)} {
		s, _ := mocked(t, "sqlite")
		if _, err := s.Purge(t.Context(), Expiry{Before: before}); !errors.Is(err, audit.ErrInvalid) {
			t.Errorf("before %s: %v, want ErrInvalid", before, err)
		}
	}
}

func TestPurgeTakesTheLastInstantOfTheYear9999(t *testing.T) {
	s, mock := mocked(t, "sqlite")
	mock.ExpectBegin().WillReturnError(errCut)
	if _, err := s.Purge(t.Context(), Expiry{Before: time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)}); !errors.Is(err, errCut) {
		t.Errorf("%v, want the error of the database", err)
	}
}

func TestAPageThatDeletesMoreThanWasCountedIsUndone(t *testing.T) {
	s, mock := mocked(t, "sqlite")
	steps := purgeSteps("sqlite")
	expectSteps(mock, steps[:4])
	mock.ExpectExec("DELETE").WillReturnResult(sqlmock.NewResult(0, 4))
	mock.ExpectRollback()
	_, err := s.Purge(t.Context(), Expiry{Before: time.UnixMicro(5000), Type: "seen", Tenant: "hotel"})
	if want := "gormsink: purge: audit: sink unavailable: 4 rows were deleted, and 3 counted"; !errors.Is(err, audit.ErrUnavailable) || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestThePagesOfPurgeBeginWhereTheOneBeforeEnded(t *testing.T) {
	for database, page := range map[string]string{
		"sqlite": "(occurred_at, id) > (?, ?) AND (occurred_at, id) <= (?, ?)",
		"mysql":  "occurred_at >= ? AND (occurred_at > ? OR id > ?) AND occurred_at <= ? AND (occurred_at < ? OR id <= ?)",
	} {
		s, mock := mocked(t, database)
		id := audit.NewID().String()
		nothing := func() *sqlmock.Rows {
			return sqlmock.NewRows([]string{"stream", "lowest", "highest", "numbered", "events"})
		}
		for _, edge := range []*sqlmock.Rows{sqlmock.NewRows([]string{"id", "occurred_at"}).AddRow(id, 4000), sqlmock.NewRows([]string{"id", "occurred_at"})} {
			mock.ExpectBegin()
			if database == "sqlite" {
				mock.ExpectExec("DELETE").WillReturnResult(done)
			}
			mock.ExpectQuery("SELECT id, occurred_at").WillReturnRows(edge)
			mock.ExpectQuery("SELECT stream, MIN.*type NOT IN").WillReturnRows(nothing())
			mock.ExpectCommit()
		}
		if n, err := s.Purge(t.Context(), Expiry{Before: time.UnixMicro(5000)}); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		where := conditions{dialect: s.dialect}
		where.side("occurred_at", ">", place{4000, id})
		where.side("occurred_at", "<=", place{5000, id})
		if got := strings.TrimPrefix(where.sql, " WHERE "); got != page {
			t.Errorf("%s: %s, want %s", database, got, page)
		}
	}
}

var ana = Person{Type: "guest", ID: "ana", Tenant: "hotel", Keys: []string{"held_by"}}

func eraseSteps(t *testing.T) []step {
	e := events(t, 3)
	e[0].Actor = audit.Entity{Type: "guest", ID: "ana"}
	e[1].Details, _ = audit.ParseDetails(`{"held_by":"ana"}`)
	rows := sqlmock.NewRows(columnList)
	for _, one := range e[:2] {
		rows.AddRow(toDriver(row(one, "", nil))...)
	}
	rows.AddRow(toDriver(row(e[2], "details", "no JSON"))...)
	return []step{
		{"BEGIN", nil}, {"SELECT id FROM lock_audit WHERE id > .* LIMIT 1 OFFSET", sqlmock.NewRows([]string{"id"})},
		{"SELECT id,.* WHERE id > .* AND tenant = .* ORDER BY id FOR UPDATE$", rows},
		{"UPDATE lock_audit SET actor_id = ", nil}, {"UPDATE lock_audit SET actor_id = ", nil}, {"INSERT", nil}, {"COMMIT", nil},
	}
}

func TestEraseChangesAPageAndWritesItsNoteInOneTransaction(t *testing.T) {
	how := Erasure{By: audit.Entity{ID: "cleo"}, Reason: "7"}
	s, mock := mocked(t, "postgres")
	expectSteps(mock, eraseSteps(t))
	if done, err := s.Erase(t.Context(), ana, how); done != (Erased{Events: 2, Possible: 1}) || err != nil {
		t.Errorf("%+v, %v; want two events, and a possible one whose details cannot be read", done, err)
	}
	failing(t, "postgres", func() []step { return eraseSteps(t) }, func(s *Sink) error {
		how.After = audit.NewID()
		done, err := s.Erase(t.Context(), ana, how)
		if done != (Erased{Next: how.After}) {
			t.Errorf("%+v, want the place where the page that failed begins", done)
		}
		return err
	})
}

// An id that is none may end a page: the next one goes on from there.
func TestEraseGoesOnAfterAnIDThatIsNone(t *testing.T) {
	s, mock := mocked(t, "mysql")
	e := events(t, 1)[0]
	e.Actor, e.Tenant = audit.Entity{Type: ana.Type, ID: ana.ID}, ana.Tenant
	for _, page := range []struct{ after, last string }{{audit.ID{}.String(), "none"}, {"none", ""}} {
		last := sqlmock.NewRows([]string{"id"})
		if page.last != "" {
			last.AddRow(page.last)
		}
		mock.ExpectBegin()
		mock.ExpectQuery("SELECT id FROM lock_audit WHERE id > ").WithArgs(page.after, eraseRows-1).WillReturnRows(last)
		rows := sqlmock.NewRows(columnList)
		if page.last != "" {
			rows.AddRow(toDriver(row(e, "id", page.last))...)
		}
		mock.ExpectQuery("SELECT id,.* FOR UPDATE$").WillReturnRows(rows)
		if page.last != "" {
			mock.ExpectExec("UPDATE lock_audit SET .* WHERE id = ").WithArgs("", "", "", "", "", "", "", "", "", `{"erased":true}`, "none").WillReturnResult(done)
			mock.ExpectExec("INSERT").WillReturnResult(done)
		}
		mock.ExpectCommit()
	}
	if got, err := s.Erase(t.Context(), ana, Erasure{By: audit.Entity{ID: "cleo"}, Reason: "7"}); got != (Erased{Events: 1}) || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestEraseThatOnlyCountsTakesNoLock(t *testing.T) {
	s, mock := mocked(t, "postgres")
	steps := eraseSteps(t)
	steps[2].query = "SELECT id,.* ORDER BY id$"
	expectSteps(mock, slices.Concat(steps[:3], steps[6:]))
	if done, err := s.Erase(t.Context(), ana, Erasure{DryRun: true}); done.Events != 2 || err != nil {
		t.Errorf("%+v, %v", done, err)
	}
}

func TestEraseNeedsAPersonAndWhoErasesAndWhy(t *testing.T) {
	s, _ := mocked(t, "postgres")
	for _, c := range []struct {
		p Person
		e Erasure
	}{{Person{}, Erasure{DryRun: true}}, {ana, Erasure{}}, {ana, Erasure{By: audit.Entity{ID: "cleo"}}}, {ana, Erasure{Reason: "7"}}} {
		if _, err := s.Erase(t.Context(), c.p, c.e); !errors.Is(err, audit.ErrInvalid) {
			t.Errorf("%+v: %v, want ErrInvalid", c, err)
		}
	}
}

func TestWhereAPersonIsFoundInDetails(t *testing.T) {
	long := Person{Type: "guest", ID: "guest-4711"}
	for _, c := range []struct {
		p             Person
		before, after string
		possible      bool
	}{
		{ana, `{"held_by":"ana","n":"anas"}`, `{"held_by":"erased","n":"anas"}`, false},
		{ana, `{ "held_by" : [ "ana" , {"x":"ana"}, ["ana"] ] }`, `{ "held_by" : [ "erased" , {"x":"ana"}, ["erased"] ] }`, true},
		{ana, `{"a":{"type":"guest","id":"ana","name":"Ana","name":7}}`, `{"a":{"type":"guest","id":"erased","name":"erased","name":"erased"}}`, false},
		{ana, `{"type":"guest","id":"ben","x":"ana"}`, `{"type":"guest","id":"ben","x":"ana"}`, true},
		{ana, `{"ana":true}`, `{"ana":true}`, true},
		{ana, `{"x":null,"y":[true,false,1.5e3],"z":"about ana"}`, `{"x":null,"y":[true,false,1.5e3],"z":"about ana"}`, false},
		{Person{ID: "42", Keys: []string{"guest"}}, `{"guest":42,"room":42}`, `{"guest":"erased","room":42}`, true},
		{long, `{"a":["guest-4711"],"guest-4711":1}`, `{"a":["erased"],"guest-4711":1}`, true},
		{Person{ID: "12345678"}, `{"a":"12345678"}`, `{"a":"12345678"}`, true},
		{Person{ID: "1234567e3"}, `{"a":1234567e3}`, `{"a":1234567e3}`, true},
		{ana, ``, ``, false},
	} {
		d, err := audit.ParseDetails(c.before)
		if err != nil {
			t.Fatal(err)
		}
		if got, possible := c.p.eraseDetails(d); got.String() != c.after || possible != c.possible {
			t.Errorf("%s in %s: %s, possible %v", c.p.ID, c.before, got, possible)
		}
	}
}

// gapSteps has a stream of 9 numbers without 3, 5 and 6, of which a mark has the
// last two, and one that was cut off.
func gapSteps(stream audit.ID) []step {
	runs := sqlmock.NewRows([]string{"stream", "lowest", "highest", "stored", "opened", "closed", "instance", "log"}).
		AddRow(stream.String(), 1, 9, 6, audit.TypeOpened, "test", "a", "trail").
		AddRow(audit.NewID().String(), 1, 2, 2, audit.TypeOpened, "test", "a", "trail").
		AddRow(audit.NewID().String(), 1, 2, 2, "test", "test", "x", "y")
	return []step{
		{"FROM .*GROUP BY stream", runs},
		{"SELECT type, details", sqlmock.NewRows([]string{"type", "details"}).AddRow(audit.TypeDropped, `{"n":2,"from":5,"to":6}`).AddRow(audit.TypeDropped, "no JSON")},
		{"LAG", sqlmock.NewRows([]string{"prev", "seq"}).AddRow(2, 4).AddRow(4, 7)},
	}
}

func TestGapsAreWhatNoMarkHas(t *testing.T) {
	stream := audit.NewID()
	s, mock := mocked(t, "postgres")
	expectSteps(mock, gapSteps(stream))
	got, err := s.Gaps(t.Context())
	want := []Gap{{Stream: stream, Instance: "a", Log: "trail", From: 3, To: 3, Missing: 1}, {Stream: stream, Instance: "a", Log: "trail", From: 10}}
	if !slices.Equal(got, want) || err != nil {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	failing(t, "postgres", func() []step { return gapSteps(stream) }, func(s *Sink) error {
		_, err := s.Gaps(t.Context())
		return err
	})
}

func TestWhatMarksHave(t *testing.T) {
	k := reasons{purged: 10, spans: []span{{N: 2, From: 20, To: 29}, {N: 1, From: 40, To: 40}, {N: 5, From: 1, To: 10}}}
	if n := k.total(); n != 3 {
		t.Errorf("the reasons are for %d numbers, want those of the spans that are not purged", n)
	}
	for _, c := range []struct {
		number, limit, end uint64
		explained          bool
	}{{15, 50, 19, false}, {15, 17, 17, false}, {20, 50, 29, true}, {29, 29, 29, true}, {30, 50, 39, false}, {41, 50, 50, false}} {
		if end, ok := k.at(c.number, c.limit); end != c.end || ok != c.explained {
			t.Errorf("at %d: %d, %v; want %d, %v", c.number, end, ok, c.end, c.explained)
		}
	}
}

func tailSteps(t *testing.T) []step {
	e := events(t, 3)
	e[0].Stream, e[0].Seq = audit.NewID(), 1
	e[1].Stream, e[1].Seq = e[0].Stream, 2
	heads := sqlmock.NewRows([]string{"stream", "head"}).AddRow(e[0].Stream.String(), 2).AddRow(audit.NewID().String(), nil)
	numbered := sqlmock.NewRows(columnList).AddRow(toDriver(row(e[0], "", nil))...).AddRow(toDriver(row(e[1], "outcome", "unheard of"))...)
	others := sqlmock.NewRows(columnList).AddRow(toDriver(row(e[2], "", nil))...)
	return []step{{"WITH RECURSIVE", heads}, {"WHERE stream = .* AND seq > .* ORDER BY seq LIMIT", numbered}, {"WHERE seq IS NULL AND recorded_at < .* ORDER BY recorded_at, id LIMIT", others}}
}

func TestTailYieldsStreamsAndThenTheOthers(t *testing.T) {
	s, mock := mocked(t, "sqlite")
	expectSteps(mock, tailSteps(t))
	var c Cursor
	var got []string
	for e, err := range s.Tail(t.Context(), &c) {
		if err != nil {
			e.Reason = "unreadable"
		}
		got = append(got, e.Reason)
	}
	if !slices.Equal(got, []string{"0", "unreadable", "2"}) || len(c.Streams) != 1 || c.ID.IsZero() {
		t.Errorf("yielded %q, and the cursor is %+v", got, c)
	}
	failing(t, "sqlite", func() []step { return tailSteps(t) }, func(s *Sink) error {
		for _, err := range s.Tail(t.Context(), new(Cursor)) {
			if _, unreadable := errors.AsType[*RowError](err); err != nil && !unreadable {
				return err
			}
		}
		return nil
	})
	for n := range 3 { // the caller has enough
		s, mock := mocked(t, "sqlite")
		steps := tailSteps(t)
		expectSteps(mock, steps[:min(2+n/2, 3)])
		i := 0
		for range s.Tail(t.Context(), new(Cursor)) {
			if i == n {
				break
			}
			i++
		}
	}
}

// FuzzErase erases from any details: they stay valid, nothing of them is found a
// second time, and what has no such text stays as it was.
func FuzzErase(f *testing.F) {
	f.Add(`{"held_by":["ana",{"type":"guest","id":"ana"}],"n":1e3}`, "ana")
	f.Fuzz(func(t *testing.T, text, id string) {
		d, err := audit.ParseDetails(text)
		if err != nil || id == "erased" {
			return
		}
		p := Person{Type: "guest", ID: id, Keys: []string{"held_by"}}
		once, possible := p.eraseDetails(d)
		if twice, _ := p.eraseDetails(once); twice != once {
			t.Errorf("%q became %q, and then %q", text, once, twice)
		}
		if !strings.Contains(text, `\`) && !strings.Contains(text, id) && (once != d || possible) {
			t.Errorf("%q became %q", text, once)
		}
	})
}
