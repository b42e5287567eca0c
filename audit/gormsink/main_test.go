// SPDX-License-Identifier: MIT

package gormsink

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/DATA-DOG/go-sqlmock"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/utils/tests"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// dialector is GORM's dummy under the name of a real one.
type dialector struct {
	tests.DummyDialector
	name string
}

func (d dialector) Name() string { return d.name }

func openOn(t testing.TB, name string, pool gorm.ConnPool, log logger.Interface) *gorm.DB {
	t.Helper()
	db, err := gorm.Open(dialector{name: name}, &gorm.Config{ConnPool: pool, DisableAutomaticPing: true, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// mocked returns a sink on a mock of the database whose name is given.
func mocked(t *testing.T, name string, opts ...Option) (*Sink, sqlmock.Sqlmock) {
	t.Helper()
	pool, mock, err := sqlmock.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		mock.ExpectClose()
		_ = pool.Close()
		if err := mock.ExpectationsWereMet(); err != nil {
			t.Error(err)
		}
	})
	return New(openOn(t, name, pool, logger.Discard), opts...), mock
}

func exactly(query string) string { return "^" + regexp.QuoteMeta(query) + "$" }

// stubPool runs statements in memory.
type stubPool struct {
	gorm.ConnPool
	exec func(query string, args []any) error
}

func (p stubPool) ExecContext(_ context.Context, query string, args ...any) (sql.Result, error) {
	return sqlmock.NewResult(0, 0), p.exec(query, args)
}

// stateError is what PostgreSQL's drivers return.
type stateError string

func (e stateError) Error() string    { return "canary: value refused" }
func (e stateError) SQLState() string { return string(e) }

// codeError is what SQLite's drivers return.
type codeError int

func (e codeError) Error() string { return "canary: value refused" }
func (e codeError) Code() int     { return int(e) }

// The drivers with a code in a field: lib/pq, go-sql-driver/mysql and
// mattn/go-sqlite3.
type (
	pqError    struct{ Code string }
	mysqlError struct{ Number uint16 }
	mattnError struct{ Code, ExtendedCode int }
)

func (*pqError) Error() string    { return "canary: value refused" }
func (*mysqlError) Error() string { return "canary: value refused" }
func (mattnError) Error() string  { return "canary: value refused" }

// columnList is the names of the columns.
var columnList = strings.Split(columnNames, ",")

func events(t testing.TB, n int) []audit.Event {
	t.Helper()
	m := audit.NewMemory()
	for i := range n {
		if err := audit.Direct(m).Record(t.Context(), audit.Event{Type: "test", Reason: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	return m.Events()
}

var errCut = errors.New("connection cut")

// toDriver is a list of values for the mock.
func toDriver(values []any) []driver.Value {
	list := make([]driver.Value, len(values))
	for i, v := range values {
		list[i] = v
	}
	return list
}
