// SPDX-License-Identifier: MIT

package gormsink

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/DATA-DOG/go-sqlmock"

	"github.com/holdfast-go/holdfast/audit"
)

var done = sqlmock.NewResult(0, 0)

const createSchemaTable = "CREATE TABLE IF NOT EXISTS lock_audit_schema"

func expectVersion(mock sqlmock.Sqlmock, version int) {
	mock.ExpectQuery("SELECT COALESCE").WillReturnRows(sqlmock.NewRows([]string{"version"}).AddRow(version))
}

func TestMigrateAppliesTheMissingVersionsInOneTransaction(t *testing.T) {
	s, mock := mocked(t, "sqlite")
	mock.ExpectQuery("SELECT COALESCE").WillReturnError(codeError(1))
	mock.ExpectExec("SELECT id,.* WHERE 1 = 0").WillReturnError(codeError(1))
	mock.ExpectExec(createSchemaTable).WillReturnResult(done)
	mock.ExpectBegin()
	mock.ExpectExec("UPDATE lock_audit_schema").WillReturnResult(done) // its first statement takes the lock for writing
	expectVersion(mock, 0)
	for _, statement := range sqlite.create("lock_audit") {
		mock.ExpectExec(exactly(statement)).WillReturnResult(done)
	}
	mock.ExpectExec("INSERT INTO lock_audit_schema").WithArgs(1, sqlmock.AnyArg()).WillReturnResult(done)
	mock.ExpectCommit()
	if err := s.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
}

// So a role that may not create anything can call it.
func TestMigrateOnlyReadsWhenTheTableIsThere(t *testing.T) {
	for _, version := range []int{1, 99} {
		s, mock := mocked(t, "postgres")
		expectVersion(mock, version)
		if err := s.Migrate(t.Context()); err != nil {
			t.Error(err)
		}
	}
	s, mock := mocked(t, "postgres") // made by goose or Atlas
	mock.ExpectQuery("SELECT COALESCE").WillReturnError(stateError("42P01"))
	mock.ExpectExec("SELECT id,.* WHERE 1 = 0").WillReturnResult(done)
	if err := s.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
}

// The next version is artificial: no migration has that number yet. A table of
// this version gets only the statements of the next one.
func TestTheNextVersionUpgradesATableOfThisOne(t *testing.T) {
	for _, name := range []string{"postgres", "sqlite", "mysql"} {
		s, mock := mocked(t, name, WithTable("trail"))
		next := append(slices.Clone(versions), func(_ dialect, t table) []string {
			return []string{"ALTER TABLE " + string(t) + " ADD COLUMN region text"}
		})
		if s.dialect.lock != "" {
			mock.ExpectExec("pg_advisory_xact_lock").WithArgs(lockKey("trail")).WillReturnResult(done)
			mock.ExpectExec("CREATE TABLE IF NOT EXISTS trail_schema").WillReturnResult(done)
		} else {
			mock.ExpectExec("UPDATE trail_schema").WillReturnResult(done)
		}
		expectVersion(mock, len(versions))
		mock.ExpectExec(exactly("ALTER TABLE trail ADD COLUMN region text")).WillReturnResult(done)
		mock.ExpectExec("INSERT INTO trail_schema").WithArgs(len(next), sqlmock.AnyArg()).WillReturnResult(done)
		if err := s.upgrade(s.db, next); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMigrateThatFailsChangesNothing(t *testing.T) {
	probe := []string{"SELECT COALESCE", "SELECT id"}
	table := []string{"SELECT COALESCE", "CREATE TABLE lock", "INDEX", "INDEX", "INDEX", "INDEX", "INDEX", "INDEX", "INSERT"}
	for dialect, steps := range map[string][]string{
		"postgres": append([]string{"BEGIN", "pg_advisory", createSchemaTable}, table...),
		"sqlite":   append([]string{createSchemaTable, "BEGIN", "UPDATE"}, table...),
	} {
		for i, failing := range steps {
			if failing == "BEGIN" {
				continue
			}
			s, mock := mocked(t, dialect)
			for _, step := range probe {
				expect(mock, step, errors.New("no such table"))
			}
			for _, step := range steps[:i] {
				expect(mock, step, nil)
			}
			expect(mock, failing, errCut)
			if slices.Contains(steps[:i], "BEGIN") {
				mock.ExpectRollback()
			}
			for _, step := range probe {
				expect(mock, step, errors.New("no such table"))
			}
			if err := s.Migrate(t.Context()); !errors.Is(err, audit.ErrUnavailable) || !errors.Is(err, errCut) {
				t.Errorf("%s failing at %s: %v, want ErrUnavailable and the cause", dialect, failing, err)
			}
		}
	}
}

// expect expects one step of a migration, which ends with err.
func expect(mock sqlmock.Sqlmock, step string, err error) {
	switch step {
	case "BEGIN":
		mock.ExpectBegin()
	case "SELECT COALESCE":
		mock.ExpectQuery(step).WillReturnError(err).WillReturnRows(sqlmock.NewRows([]string{"version"}).AddRow(0))
	default:
		mock.ExpectExec(step).WillReturnError(err).WillReturnResult(done)
	}
}

func TestATableInASchemaHasItsIndexesThere(t *testing.T) {
	for d, want := range map[*dialect]string{
		&postgres: "CREATE INDEX events_time ON audit.events (occurred_at, id)",
		&sqlite:   "CREATE INDEX audit.events_time ON events (occurred_at, id)",
	} {
		if all := d.create("audit.events"); all[1] != want {
			t.Errorf("%s: %s, want %s", d.name, all[1], want)
		}
	}
}

// HOLDFAST_UPDATE=1 writes the files.
func TestTheFilesForGooseAndAtlasAreTheStatementsOfMigrate(t *testing.T) {
	for _, d := range []dialect{postgres, sqlite, mysql} {
		for i, version := range versions {
			want := "-- +goose Up\n-- SPDX-License-Identifier: MIT\n" + strings.Join(version(d, "lock_audit"), ";\n\n") + ";\n"
			file := fmt.Sprintf("migrations/%s/%04d_lock_audit.sql", d.name, i+1)
			if os.Getenv("HOLDFAST_UPDATE") != "" {
				if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := os.ReadFile(file); err != nil || string(got) != want {
				t.Errorf("%s is not what Migrate runs: %v", file, err)
			}
		}
	}
}

// row is a row as a driver gives it, with one value changed.
func row(e audit.Event, column string, value any) []any {
	values := sqlite.appendRow(nil, &e, time.Now())
	for i, c := range columnList {
		if c == column {
			values[i] = value
		}
	}
	return values
}

func TestValuesOfTheWrongKindAreARowErrorWithTheID(t *testing.T) {
	e := events(t, 1)[0]
	for column, value := range map[string]any{
		"occurred_at": "canary", "type": nil, "outcome": "canary", "reason": 7.5, "details": []byte("canary"), "tenant": time.Now(),
	} {
		if _, why := event(row(e, column, value)); why == "" || strings.Contains(why, "canary") {
			t.Errorf("%s = %v: %q, want a reason without the value", column, value, why)
		}
	}
	// What a query for the id or the stream, or for those without a number, would not
	// find, is not read either, so that Verify of package seal sees such a change.
	for column, values := range map[string][]any{
		"id": {"no id", strings.ToUpper(e.ID.String())}, "stream": {strings.ToUpper(e.ID.String()), audit.ID{}.String()}, "seq": {int64(0), int64(-1)},
	} {
		for _, value := range values {
			if _, why := event(row(e, column, value)); why != column+" cannot be read" {
				t.Errorf("%s = %v: %q", column, value, why)
			}
		}
	}
	for column, value := range map[string]any{"": nil, "occurred_at": e.Time, "details": nil, "id": []byte(e.ID.String())} {
		if got, why := event(row(e, column, value)); why != "" || got != e {
			t.Errorf("%s = %v: %v %q, want %v", column, value, got, why, e)
		}
	}
	if text := (&RowError{ID: "x", Why: "y"}).Error(); text != `gormsink: the row with id "x" cannot be read: y` {
		t.Error(text)
	}
}

func TestQueryAsksForTheCriteriaAndGoesOnWhereThePageEnded(t *testing.T) {
	s, mock := mocked(t, "sqlite")
	all := events(t, pageRows+1)
	page := func(events []audit.Event) *sqlmock.Rows {
		rows := sqlmock.NewRows(columnList)
		for _, e := range events {
			values := row(e, "", nil)
			if e == all[1] {
				values[0] = []byte("unreadable")
			}
			rows.AddRow(toDriver(values)...)
		}
		return rows
	}
	list := "SELECT " + columnNames + " FROM lock_audit"
	conditions := " WHERE resource_id <> '' AND resource_id = ? AND actor_id <> '' AND actor_id = ? AND type IN (?,?) AND outcome IN (?) AND occurred_at >= ? AND occurred_at < ?"
	from, to := time.UnixMicro(1000), time.UnixMicro(2000)
	mock.ExpectQuery(exactly(list+conditions+" ORDER BY occurred_at DESC, id DESC LIMIT ?")).
		WithArgs("101", "ana", "a", "b", "denied", 1000, 2000, pageRows).WillReturnRows(page(all[:pageRows]))
	last := all[pageRows-1]
	mock.ExpectQuery(exactly(list+conditions+" AND (occurred_at, id) < (?, ?) ORDER BY occurred_at DESC, id DESC LIMIT ?")).
		WithArgs("101", "ana", "a", "b", "denied", 1000, 2000, last.Time.UnixMicro(), last.ID.String(), pageRows).
		WillReturnRows(page(all[pageRows:]).AddRow(toDriver(row(last, "", nil))...).RowError(1, errCut))
	f := Criteria{ResourceID: "101", ActorID: "ana", Types: []string{"a", "b"}, Outcomes: []audit.Outcome{audit.Denied}, From: from, To: to, Newest: true}
	good := 0
	var errs []error
	for _, err := range s.Query(t.Context(), f) {
		if err != nil {
			errs = append(errs, err)
		} else {
			good++
		}
	}
	if good != pageRows || len(errs) != 2 {
		t.Fatalf("%d events and errors %v, want %d, one unreadable row and the cut", good, errs, pageRows)
	}
	if bad, ok := errors.AsType[*RowError](errs[0]); !ok || bad.ID != "unreadable" {
		t.Errorf("%v, want the row's id", errs[0])
	}
	if !errors.Is(errs[1], audit.ErrUnavailable) || !errors.Is(errs[1], errCut) {
		t.Errorf("%v, want ErrUnavailable and the cause", errs[1])
	}
}

func TestQueryWithoutCriteriaAsksForEverythingFromTheOldestOn(t *testing.T) {
	s, mock := mocked(t, "sqlite")
	mock.ExpectQuery(exactly("SELECT " + columnNames + " FROM lock_audit ORDER BY occurred_at, id LIMIT ?")).
		WithArgs(pageRows).WillReturnRows(sqlmock.NewRows(columnList))
	for _, err := range s.Query(t.Context(), Criteria{}) {
		t.Error(err)
	}
}

func TestQueryEndsWhenTheCallerHasEnough(t *testing.T) {
	s, mock := mocked(t, "sqlite")
	e := events(t, 1)[0]
	mock.ExpectQuery("SELECT").WillReturnRows(sqlmock.NewRows(columnList).AddRow(toDriver(row(e, "", nil))...).AddRow(toDriver(row(e, "", nil))...))
	for got, err := range s.Query(t.Context(), Criteria{}) {
		if got != e || err != nil {
			t.Errorf("%v, %v", got, err)
		}
		break
	}
	mock.ExpectQuery("SELECT").WillReturnError(errCut)
	for _, err := range s.Query(t.Context(), Criteria{}) {
		if !errors.Is(err, audit.ErrUnavailable) {
			t.Errorf("%v, want ErrUnavailable", err)
		}
	}
}
