// SPDX-License-Identifier: MIT

package gormsink

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/DATA-DOG/go-sqlmock"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/audit"
)

const insertOne = "INSERT INTO lock_audit (id,occurred_at,recorded_at,type,outcome,reason,actor_type,actor_id,actor_name," +
	"resource_type,resource_id,resource_name,on_behalf_of_type,on_behalf_of_id,on_behalf_of_name,tenant,session_id,correlation_id,trace_id," +
	"source_address,user_agent,stream,seq,details) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO NOTHING"

func TestWriteIsOneInsertWithoutATransaction(t *testing.T) {
	s, mock := mocked(t, "sqlite")
	at := time.Date(2026, 12, 11, 12, 0, 0, 1000, time.UTC)
	id, stream := audit.NewID(), audit.NewID()
	mock.ExpectExec(exactly(insertOne)).WithArgs(
		id.String(), at.UnixMicro(), sqlmock.AnyArg(), "lock.acquired", "success", "why", "guest", "ana", "Ana",
		"lock", "101", "Room 101", "company", "7", "Acme", "hotel", "s", "c", "t", "192.0.2.1", "kiosk", stream.String(), 7, `{"nights":3}`).WillReturnResult(sqlmock.NewResult(0, 1))
	err := s.Write(t.Context(), []audit.Event{{
		ID: id, Time: at, Type: "lock.acquired", Outcome: audit.Success, Reason: "why",
		Actor: audit.Entity{Type: "guest", ID: "ana", Name: "Ana"}, Resource: audit.Entity{Type: "lock", ID: "101", Name: "Room 101"},
		OnBehalfOf: audit.Entity{Type: "company", ID: "7", Name: "Acme"}, Tenant: "hotel", Session: "s", Correlation: "c", TraceID: "t",
		SourceAddress: "192.0.2.1", UserAgent: "kiosk", Stream: stream, Seq: 7, Details: audit.Fields(slog.Int("nights", 3)),
	}})
	if err != nil {
		t.Error(err)
	}
}

func TestPostgresGetsAnArrayForEachColumn(t *testing.T) {
	s, mock := mocked(t, "postgres", WithTable("trail"))
	at := time.Date(2026, 12, 11, 12, 0, 0, 1000, time.UTC)
	one, two := audit.NewID(), audit.NewID()
	args := make([]driver.Value, len(columns))
	for i := range args {
		args[i] = `{"",""}`
	}
	args[0] = fmt.Sprintf(`{"%s","%s"}`, one, two)
	args[1] = `{"2026-12-11 12:00:00.000001Z","0001-01-01 00:00:00.000000Z"}`
	args[2] = sqlmock.AnyArg()
	args[3], args[4] = `{"a\"\\b{,}","NULL"}`, `{"denied","unknown"}`
	args[21], args[22], args[23] = `{NULL,"`+one.String()+`"}`, `{NULL,3}`, `{"{\"a\":1}",NULL}`
	mock.ExpectExec(regexp.QuoteMeta("INSERT INTO trail (id,") + ".*" + regexp.QuoteMeta("SELECT * FROM unnest(?::uuid[],?::timestamptz(6)[],") + ".*" +
		regexp.QuoteMeta("?::json[]) ON CONFLICT (id) DO NOTHING") + "$").WithArgs(args...).WillReturnResult(sqlmock.NewResult(0, 2))
	err := s.Write(t.Context(), []audit.Event{
		{ID: one, Time: at, Type: `a"\b{,}`, Outcome: audit.Denied, Details: audit.Fields(slog.Int("a", 1))}, {ID: two, Type: "NULL", Stream: one, Seq: 3},
	})
	if err != nil {
		t.Error(err)
	}
}

func TestBatchOfSeveralStatementsIsOneTransaction(t *testing.T) {
	s, mock := mocked(t, "sqlite")
	mock.ExpectBegin()
	for range 3 { // 64 + 4 + 1
		mock.ExpectExec("INSERT").WillReturnResult(sqlmock.NewResult(0, 1))
	}
	mock.ExpectCommit()
	if err := s.Write(t.Context(), events(t, 69)); err != nil {
		t.Error(err)
	}
	mock.ExpectBegin()
	mock.ExpectExec("INSERT").WillReturnResult(sqlmock.NewResult(0, 1))
	mock.ExpectExec("INSERT").WillReturnError(errCut)
	mock.ExpectRollback()
	if err := s.Write(t.Context(), events(t, 69)); !errors.Is(err, errCut) || !errors.Is(err, audit.ErrUnavailable) {
		t.Errorf("%v, want ErrUnavailable and the cause", err)
	}
	if err := s.Write(t.Context(), nil); err != nil {
		t.Errorf("an empty batch: %v", err)
	}
}

// Every different statement costs memory wherever statements are prepared.
func TestFewDifferentStatementsWithinTheBoundOnParameters(t *testing.T) {
	for database, few := range map[string]int{"postgres": 1, "sqlite": 7, "mysql": 7} {
		shapes := map[string]bool{}
		pool := stubPool{exec: func(query string, args []any) error {
			shapes[query] = true
			if len(args) > 2000 || len(args) != strings.Count(query, "?") {
				t.Errorf("%d parameters for %d places", len(args), strings.Count(query, "?"))
			}
			return nil
		}}
		s := New(openOn(t, database, pool, logger.Discard))
		for n := 1; n <= 2500; n += 1 + n/10 {
			if err := s.insert(s.db, events(t, n)); err != nil {
				t.Fatal(err)
			}
		}
		if len(shapes) > few {
			t.Errorf("%s: %d different statements, want at most %d", database, len(shapes), few)
		}
	}
}

// reasonsOf matches the reasons of a statement's rows, by whether the poison
// is among them, and collects those that are stored.
type reasonsOf struct {
	poisoned bool
	stored   map[string]bool
}

func (r reasonsOf) Match(v driver.Value) bool {
	list := v.(string)
	if strings.Contains(list, `"300"`) != r.poisoned {
		return false
	}
	for reason := range strings.SplitSeq(strings.Trim(list, "{}"), ",") {
		r.stored[reason] = !r.poisoned
	}
	return true
}

// The mock takes 20 statements, and those for the beginning and the end of the
// stream.
func TestOnePoisonEventIn512CostsAtMost20Statements(t *testing.T) {
	pool, mock, err := sqlmock.New()
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	mock.MatchExpectationsInOrder(false)
	mock.ExpectClose()
	args := make([]driver.Value, len(columns))
	for i := range args {
		args[i] = sqlmock.AnyArg()
	}
	stored := map[string]bool{}
	for range 10 {
		args[5] = reasonsOf{true, stored}
		mock.ExpectExec("INSERT").WithArgs(slices.Clone(args)...).WillReturnError(stateError("22P05"))
		args[5] = reasonsOf{false, stored}
		mock.ExpectExec("INSERT").WithArgs(slices.Clone(args)...).WillReturnResult(sqlmock.NewResult(0, 0))
	}
	for range 2 {
		args[5] = reasonsOf{false, stored}
		mock.ExpectExec("INSERT").WithArgs(slices.Clone(args)...).WillReturnResult(sqlmock.NewResult(0, 0))
	}
	trail, err := audit.New(New(openOn(t, "postgres", pool, logger.Discard)), audit.Config{Linger: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 512 {
		if err := trail.Record(t.Context(), audit.Event{Type: "test", Reason: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err = trail.Close(ctx)
	if loss, ok := errors.AsType[*audit.LossError](err); !ok || len(loss.IDs) != 1 || loss.InDoubt > 0 {
		t.Errorf("close: %v, want the loss of one", err)
	}
	rows := 0
	for _, ok := range stored {
		if ok {
			rows++
		}
	}
	if rows != 511+1+1 || !stored[`"poisoned"`] {
		t.Errorf("%d rows, want 511, the mark, and the stream's own without a reason", rows)
	}
}

func TestErrorsTellRefusedFromUnavailableAndQuoteNothing(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	for _, c := range []struct {
		database  string
		err       error
		permanent bool
		text      string
	}{
		{"postgres", stateError("22021"), true, "SQLSTATE 22021"},
		{"postgres", stateError("23514"), true, "SQLSTATE 23514"},
		{"postgres", stateError("54000"), true, "SQLSTATE 54000"},
		{"postgres", stateError("40001"), false, "SQLSTATE 40001"},
		{"postgres", stateError("53300"), false, "SQLSTATE 53300"},
		{"postgres", stateError("57P01"), false, "SQLSTATE 57P01"},
		{"postgres", stateError("42P01"), false, "SQLSTATE 42P01 (no such table; has Migrate run?)"},
		{"postgres", codeError(19), false, "a gormsink.codeError"},
		{"postgres", &pqError{"42501"}, false, "SQLSTATE 42501 (the role lacks a right; docs/audit.md lists the grants)"},
		{"mysql", fmt.Errorf("wrapped: %w", &mysqlError{1366}), true, "MySQL error 1366"},
		{"mysql", &mysqlError{1146}, false, "MySQL error 1146 (no such table; has Migrate run?)"},
		{"sqlite", mattnError{19, 2067}, true, "SQLite result code 19"},
		{"sqlite", codeError(19), true, "SQLite result code 19"},
		{"sqlite", codeError(2067), true, "SQLite result code 19"}, // CONSTRAINT_UNIQUE
		{"sqlite", codeError(5), false, "SQLite result code 5 (busy; let it wait, with busy_timeout in the DSN)"},
		{"mysql", fmt.Errorf("lost: %w", refused), false, "dial tcp: connection refused"},
		{"mysql", context.DeadlineExceeded, false, "context deadline exceeded"},
		{"mysql", driver.ErrBadConn, false, "driver: bad connection"},
		{"mysql", errors.New("sql: database is closed"), false, "sql: database is closed"},
		{"mysql", errors.New("canary"), false, "a *errors.errorString"},
	} {
		pool := stubPool{exec: func(string, []any) error { return c.err }}
		err := New(openOn(t, c.database, pool, logger.Discard)).Write(t.Context(), events(t, 1))
		if errors.Is(err, audit.ErrPermanent) != c.permanent || errors.Is(err, audit.ErrUnavailable) == c.permanent {
			t.Errorf("%s, %T %v: %v, want permanent %v", c.database, c.err, c.err, err, c.permanent)
		}
		if !errors.Is(err, c.err) || !strings.HasSuffix(err.Error(), ": "+c.text) {
			t.Errorf("%q, want the cause in it and the text to end in %q", err, c.text)
		}
	}
}

func TestNothingReachesTheCallersLogger(t *testing.T) {
	var out bytes.Buffer
	loud := logger.New(log.New(&out, "", 0), logger.Config{LogLevel: logger.Info})
	pool := stubPool{exec: func(string, []any) error { return stateError("22021") }}
	err := New(openOn(t, "postgres", pool, loud)).Write(t.Context(), []audit.Event{{Type: "test", Reason: "canary"}})
	if err == nil || strings.Contains(err.Error(), "canary") || out.Len() > 0 {
		t.Errorf("the error is %q and the log %q, want neither to quote the event", err, out.String())
	}
}

func TestInWritesOnTheCallersTransaction(t *testing.T) {
	s, mock := mocked(t, "postgres", WithTable("trail"))
	mock.ExpectBegin()
	mock.ExpectExec("INSERT INTO trail ").WillReturnResult(sqlmock.NewResult(0, 1))
	mock.ExpectCommit()
	err := s.db.Transaction(func(tx *gorm.DB) error {
		return s.In(tx, nil).Record(t.Context(), audit.Event{Type: "test"})
	})
	if err != nil {
		t.Error(err)
	}
	if err := s.In(nil, nil).Record(t.Context(), audit.Event{Type: "test"}); !errors.Is(err, audit.ErrInvalid) {
		t.Errorf("no transaction: %v, want ErrInvalid", err)
	}
}

func TestInAppliesTheRulesOfTheTrail(t *testing.T) {
	var stored string
	db := openOn(t, "postgres", stubPool{exec: func(_ string, args []any) error { stored = fmt.Sprint(args...); return nil }}, logger.Discard)
	s := New(db)
	trail, err := audit.New(s, audit.Config{
		Redact: []audit.Redaction{audit.Omit("actor_name")},
		Enrich: func(_ context.Context, e *audit.Event) { e.Tenant = "hotel" },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.In(db, trail).Record(t.Context(), audit.Event{Type: "test", Actor: audit.Entity{Name: "canary"}}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(stored, "canary") || !strings.Contains(stored, "hotel") {
		t.Errorf("stored %s, want it redacted and enriched", stored)
	}
}

func TestArgumentsThatMakeNoSenseAreAnErrorNotAStatement(t *testing.T) {
	pool := stubPool{exec: func(query string, _ []any) error { t.Errorf("ran %s", query); return nil }}
	db := openOn(t, "sqlite", pool, logger.Discard)
	var dialector *dialector
	noDialect := &gorm.DB{Config: &gorm.Config{Dialector: dialector}}
	for _, s := range []*Sink{New(nil), New(&gorm.DB{}), New(noDialect), New(db, WithTable("")), New(db, WithTable("a;b")), New(db, WithTable(strings.Repeat("x", 41)))} {
		_, purge := s.Purge(t.Context(), Expiry{Before: time.Now()})
		_, erase := s.Erase(t.Context(), Person{ID: "ana"}, Erasure{DryRun: true})
		_, export := s.Export(t.Context(), io.Discard, Criteria{})
		in := s.In(db, nil).Record(t.Context(), audit.Event{Type: "test"})
		_, gaps := s.Gaps(t.Context())
		errs := []error{gaps, s.Write(t.Context(), events(t, 1)), s.Write(t.Context(), nil), s.Migrate(t.Context()), purge, erase, export, in}
		for _, err := range s.Query(t.Context(), Criteria{}) {
			errs = append(errs, err)
		}
		for _, err := range s.Tail(t.Context(), new(Cursor)) {
			errs = append(errs, err)
		}
		for _, err := range errs {
			if !errors.Is(err, audit.ErrInvalid) {
				t.Errorf("%v, want ErrInvalid", err)
			}
		}
		if len(errs) != 10 {
			t.Error("Query or Tail yielded nothing")
		}
	}
}

// A log cannot refuse the sink before its first write, so Flush, Close and Healthy
// report what is missing.
func TestALogOverNoDatabaseReportsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trail, err := audit.New(New(nil, nil), audit.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if err := trail.Record(t.Context(), audit.Event{Type: "test"}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		flushed := trail.Flush(ctx)
		for _, err := range []error{flushed, trail.Healthy(), trail.Close(ctx)} {
			if !errors.Is(err, audit.ErrInvalid) || !strings.Contains(err.Error(), "gormsink: audit: invalid: New needs a database") {
				t.Errorf("%v, want ErrInvalid that names the database", err)
			}
		}
	})
}

func TestADatabaseOfAnUnknownKindIsRefused(t *testing.T) {
	s := New(openOn(t, "sqlserver", stubPool{}, logger.Discard))
	if err := s.Migrate(t.Context()); !errors.Is(err, audit.ErrInvalid) || !strings.Contains(err.Error(), `"sqlserver"; PostgreSQL, SQLite, MySQL and MariaDB are supported`) {
		t.Errorf("%v, want the names of what is supported", err)
	}
}

func TestADryRunIsRefused(t *testing.T) {
	db := openOn(t, "sqlite", stubPool{}, logger.Discard).Session(&gorm.Session{DryRun: true})
	if err := New(db).Write(t.Context(), events(t, 1)); !errors.Is(err, audit.ErrInvalid) {
		t.Errorf("%v, want ErrInvalid: nothing would be stored", err)
	}
}

func TestMySQLWritesWhatIsNotStoredYetAfterAConflict(t *testing.T) {
	s, mock := mocked(t, "mysql")
	all := events(t, 4)
	stored := func(ids ...audit.ID) *sqlmock.Rows {
		rows := sqlmock.NewRows([]string{"id"})
		for _, id := range ids {
			rows.AddRow(id.String())
		}
		return rows
	}
	mock.ExpectExec("INSERT").WillReturnError(&mysqlError{1062})
	mock.ExpectQuery("SELECT id FROM lock_audit WHERE id IN").WillReturnRows(stored(all[1].ID))
	mock.ExpectExec("INSERT").WithArgs(toDriver(append(anything(all[0]), anything(all[2])...))...).WillReturnResult(done)
	if err := s.Write(t.Context(), []audit.Event{all[0], all[1], all[2], all[0]}); err != nil {
		t.Error(err)
	}
	mock.ExpectExec("INSERT").WillReturnError(&mysqlError{1062})
	mock.ExpectQuery("SELECT id").WillReturnRows(stored(all[1].ID))
	if err := s.Write(t.Context(), all[1:2]); err != nil {
		t.Errorf("all are stored: %v", err)
	}
	mock.ExpectExec("INSERT").WillReturnError(&mysqlError{1062})
	mock.ExpectQuery("SELECT id").WillReturnRows(stored())
	if err := s.Write(t.Context(), all[3:]); !errors.Is(err, audit.ErrPermanent) {
		t.Errorf("a conflict on another index: %v, want ErrPermanent", err)
	}
	mock.ExpectExec("INSERT").WillReturnError(&mysqlError{1062})
	mock.ExpectQuery("SELECT id").WillReturnError(errCut)
	if err := s.Write(t.Context(), all[3:]); !errors.Is(err, audit.ErrUnavailable) || !errors.Is(err, errCut) {
		t.Errorf("%v, want the error of the look-up", err)
	}
}

// anything is a row of which the id alone is known.
func anything(e audit.Event) []any {
	list := []any{e.ID.String()}
	for range len(columns) - 1 {
		list = append(list, sqlmock.AnyArg())
	}
	return list
}
