// SPDX-License-Identifier: MIT

package integration

import (
	"context"
	"iter"
	"path/filepath"
	"testing"

	"github.com/glebarez/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/audittest"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

// sqliteFile is the DSN that the package's documentation recommends.
func sqliteFile(t testing.TB) string {
	return filepath.Join(t.TempDir(), "audit.db") + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)"
}

func openSQLite(t testing.TB, dsn string) *gorm.DB {
	t.Helper()
	db, err := gorm.Open(sqlite.Open(dsn), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	closeDB(t, db)
	return db
}

func closeDB(t testing.TB, db *gorm.DB) {
	t.Cleanup(func() {
		if pool, err := db.DB(); err == nil {
			_ = pool.Close()
		}
	})
}

// migrated returns a sink with its table.
func migrated(t testing.TB, db *gorm.DB, opts ...gormsink.Option) *gormsink.Sink {
	t.Helper()
	s := gormsink.New(db, opts...)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func reader(s *gormsink.Sink) audittest.Reader {
	return func(ctx context.Context) iter.Seq2[audit.Event, error] { return s.Query(ctx, gormsink.Criteria{}) }
}

func TestGormsinkOnSQLiteIsASink(t *testing.T) {
	audittest.Run(t, func(t testing.TB) (audit.Sink, audittest.Reader) {
		s := migrated(t, openSQLite(t, sqliteFile(t)))
		return s, reader(s)
	})
}

func TestGormsinkOnSQLiteKeepsItsPromises(t *testing.T) {
	promises(t, func(t testing.TB) *gorm.DB { return openSQLite(t, sqliteFile(t)) })
}
