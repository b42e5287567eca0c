// SPDX-License-Identifier: MIT

//go:build cgo

package integration

import (
	"path/filepath"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/audittest"
)

func openSQLiteByCgo(t testing.TB) *gorm.DB {
	t.Helper()
	file := filepath.Join(t.TempDir(), "audit.db") + "?_busy_timeout=5000&_journal_mode=WAL"
	db, err := gorm.Open(sqlite.Open("file:"+file), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	closeDB(t, db)
	return db
}

func TestGormsinkOnSQLiteByCgoIsASink(t *testing.T) {
	t.Parallel()
	audittest.Run(t, func(t testing.TB) (audit.Sink, audittest.Reader) {
		s := migrated(t, openSQLiteByCgo(t))
		return s, reader(s)
	})
}

func TestGormsinkOnSQLiteByCgoKeepsItsPromises(t *testing.T) {
	t.Parallel()
	promises(t, openSQLiteByCgo)
}
