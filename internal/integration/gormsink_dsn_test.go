// SPDX-License-Identifier: MIT

package integration

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/audittest"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

// HOLDFAST_DSN names an empty database of another server than those that the
// tests start, such as postgres://user:password@host/name, or
// mysql://user:password@tcp(host:3306)/name?parseTime=true. Without it there is
// nothing to test.
func TestGormsinkOnAnotherServer(t *testing.T) {
	dsn := os.Getenv("HOLDFAST_DSN")
	if dsn == "" {
		return
	}
	open := func(t testing.TB) *gorm.DB {
		dialector := postgres.Open(dsn)
		if rest, ok := strings.CutPrefix(dsn, "mysql://"); ok {
			dialector = mysql.Open(rest)
		}
		db, err := gorm.Open(dialector, &gorm.Config{Logger: logger.Discard})
		if err != nil {
			t.Fatal(err)
		}
		closeDB(t, db)
		return db
	}
	drop := func(t testing.TB, db *gorm.DB, table string) {
		if err := db.Exec("DROP TABLE IF EXISTS " + table + ", " + table + "_schema").Error; err != nil {
			t.Fatal(err)
		}
	}
	t.Run("is a sink", func(t *testing.T) {
		db := open(t)
		var n atomic.Int64
		audittest.Run(t, func(t testing.TB) (audit.Sink, audittest.Reader) {
			table := fmt.Sprintf("trail_%d", n.Add(1))
			drop(t, db, table)
			t.Cleanup(func() { drop(t, db, table) })
			s := migrated(t, db, gormsink.WithTable(table))
			return s, reader(s)
		})
	})
	promises(t, func(t testing.TB) *gorm.DB {
		db := open(t)
		drop(t, db, "lock_audit")
		return db
	})
}
