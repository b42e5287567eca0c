// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"ariga.io/atlas/sql/migrate"
	atlasmysql "ariga.io/atlas/sql/mysql"
	atlaspostgres "ariga.io/atlas/sql/postgres"
	"ariga.io/atlas/sql/schema"
	atlassqlite "ariga.io/atlas/sql/sqlite"
	"github.com/pressly/goose/v3"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

// migrations is where the files are that goose and Atlas are given.
func migrations(folder string) string {
	return filepath.Join("..", "..", "audit", "gormsink", "migrations", folder)
}

// A database is the same, and works, whatever has read the files.
func TestTheMigrationsAreTheSameByMigrateGooseAndAtlas(t *testing.T) {
	server, maria := startPostgres(t), startMariaDB(t)
	var n atomic.Int64
	for _, c := range []struct {
		name  string
		empty func(t testing.TB) *gorm.DB
		goose goose.Dialect
		atlas func(schema.ExecQuerier) (migrate.Driver, error)
	}{
		{"postgres", func(t testing.TB) *gorm.DB {
			name := fmt.Sprintf("tool_%d", n.Add(1))
			if err := server.open(t).Exec("CREATE DATABASE " + name).Error; err != nil {
				t.Fatal(err)
			}
			return server.openNamed(t, name)
		}, goose.DialectPostgres, atlaspostgres.Open},
		{"sqlite", func(t testing.TB) *gorm.DB { return openSQLite(t, sqliteFile(t)) }, goose.DialectSQLite3, atlassqlite.Open},
		{"mysql", func(t testing.TB) *gorm.DB { return maria.open(t, fmt.Sprintf("tool_%d", n.Add(1)), "utf8mb4") }, goose.DialectMySQL, atlasmysql.Open},
	} {
		own := c.empty(t)
		migrated(t, own)
		want := table(t, pool(t, own), c.atlas)
		if len(want.Indexes) != 6 || want.PrimaryKey == nil || len(want.Columns) != 24 {
			t.Fatalf("%s: Migrate made %d columns, %d indexes and the key %v", c.name, len(want.Columns), len(want.Indexes), want.PrimaryKey)
		}
		for tool, run := range map[string]func(t *testing.T, db *sql.DB){
			"goose": func(t *testing.T, db *sql.DB) { runGoose(t, c.goose, db, c.name) },
			"atlas": func(t *testing.T, db *sql.DB) { runAtlas(t, c.atlas, db, c.name) },
		} {
			t.Run(c.name+" by "+tool, func(t *testing.T) {
				db := c.empty(t)
				run(t, pool(t, db))
				driver, err := c.atlas(pool(t, db))
				if err != nil {
					t.Fatal(err)
				}
				changes, err := driver.TableDiff(want, table(t, pool(t, db), c.atlas))
				if err != nil || len(changes) > 0 {
					t.Errorf("beside what Migrate makes: %d changes, %#v, %v", len(changes), changes, err)
				}
				sink := gormsink.New(db)
				if err := audit.Direct(sink).Record(t.Context(), audit.Event{Type: "room.key.issued"}); err != nil {
					t.Error(err)
				}
				read := 0
				for _, err := range sink.Query(t.Context(), gormsink.Criteria{Types: []string{"room.key.issued"}}) {
					if err != nil {
						t.Error(err)
					}
					read++
				}
				if read != 1 {
					t.Errorf("read %d events, want the one that was written", read)
				}
			})
		}
	}
}

func pool(t *testing.T, db *gorm.DB) *sql.DB {
	t.Helper()
	p, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// runGoose brings a database up, and finds nothing to do after that.
func runGoose(t *testing.T, dialect goose.Dialect, db *sql.DB, folder string) {
	t.Helper()
	provider, err := goose.NewProvider(dialect, db, os.DirFS(migrations(folder)))
	if err != nil {
		t.Fatal(err)
	}
	done, err := provider.Up(t.Context())
	if err != nil || len(done) == 0 {
		t.Fatalf("goose ran %d of the files in %s: %v", len(done), folder, err)
	}
	if again, err := provider.Up(t.Context()); err != nil || len(again) > 0 {
		t.Errorf("goose ran %d of the files in %s again: %v", len(again), folder, err)
	}
}

// runAtlas brings a database up with a copy of the files, beside which Atlas
// puts their checksums.
func runAtlas(t *testing.T, open func(schema.ExecQuerier) (migrate.Driver, error), db *sql.DB, folder string) {
	t.Helper()
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(migrations(folder))); err != nil {
		t.Fatal(err)
	}
	dir, err := migrate.NewLocalDir(copied)
	if err != nil {
		t.Fatal(err)
	}
	sums, err := dir.Checksum()
	if err == nil {
		err = migrate.WriteSumFile(dir, sums)
	}
	if err == nil {
		err = migrate.Validate(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	driver, err := open(db)
	if err != nil {
		t.Fatal(err)
	}
	executor, err := migrate.NewExecutor(driver, dir, migrate.NopRevisionReadWriter{})
	if err == nil {
		err = executor.ExecuteN(t.Context(), 0)
	}
	if err != nil {
		t.Fatalf("Atlas and the files in %s: %v", folder, err)
	}
}

// table returns what the database has, as Atlas sees it.
func table(t *testing.T, db *sql.DB, open func(schema.ExecQuerier) (migrate.Driver, error)) *schema.Table {
	t.Helper()
	driver, err := open(db)
	if err != nil {
		t.Fatal(err)
	}
	all, err := driver.InspectSchema(t.Context(), "", &schema.InspectOptions{Tables: []string{"lock_audit"}})
	if err != nil || len(all.Tables) != 1 {
		t.Fatalf("%+v, %v, want the table lock_audit", all, err)
	}
	return all.Tables[0]
}
