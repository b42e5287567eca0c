// SPDX-License-Identifier: MIT

package gormsink

import (
	"context"
	"embed"
	"fmt"
	"hash/fnv"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"
)

// migrations has one folder per dialect, with one file per version of the table.
// The files are plain SQL for the default name of the table, and goose and Atlas
// can run them; then do not call Migrate for that table.
//
// A version may only add to the one before: indexes, and columns that an INSERT
// may leave out. So programs of both versions read and write one table.
//
//go:embed migrations/*/*.sql
var migrations embed.FS

// Migrate makes the table, or upgrades it to the newest version, in one
// transaction. It does nothing when the table has that version, or a later one.
// The version is stored in <table>_schema. On PostgreSQL and SQLite several
// processes may call it at the same time: an advisory lock, or SQLite's write
// lock, orders them.
//
// The statements are the files in the folder migrations. Errors wrap
// [audit.ErrUnavailable] or [audit.ErrPermanent].
func (s *Sink) Migrate(ctx context.Context) error {
	if s.err != nil {
		return s.err
	}
	steps, err := steps(s.dialect.folder)
	if err != nil {
		return err
	}
	schema := s.table + "_schema"
	db := s.db.WithContext(ctx)
	if s.dialect.lock == "" {
		err = createSchema(db, schema)
	}
	if err == nil {
		err = db.Transaction(func(tx *gorm.DB) error { return s.upgrade(tx, schema, steps) })
	}
	if err != nil {
		return s.dialect.explain("migrate", err)
	}
	return nil
}

func createSchema(db *gorm.DB, schema string) error {
	return db.Exec("CREATE TABLE IF NOT EXISTS " + schema + " (version integer NOT NULL PRIMARY KEY, applied_at bigint NOT NULL)").Error
}

// upgrade applies the steps that are missing, in the transaction tx.
func (s *Sink) upgrade(tx *gorm.DB, schema string, steps []step) error {
	if err := s.lockOut(tx, schema); err != nil {
		return err
	}
	var version int
	if err := tx.Raw("SELECT COALESCE(MAX(version), 0) FROM " + schema).Scan(&version).Error; err != nil {
		return err
	}
	for _, step := range steps {
		if step.version > version {
			if err := s.apply(tx, schema, step); err != nil {
				return err
			}
		}
	}
	return nil
}

// lockOut locks out other migrations until tx ends: by PostgreSQL's advisory
// lock, or by an UPDATE that changes nothing but takes the lock for writing.
// SQLite waits for that lock only while tx has read nothing, so the table of the
// schema must exist before.
func (s *Sink) lockOut(tx *gorm.DB, schema string) error {
	if s.dialect.lock == "" {
		return tx.Exec("UPDATE " + schema + " SET version = version").Error
	}
	if err := tx.Exec(s.dialect.lock, lockKey(s.table)).Error; err != nil {
		return err
	}
	return createSchema(tx, schema)
}

func (s *Sink) apply(tx *gorm.DB, schema string, step step) error {
	for statement := range strings.SplitSeq(strings.ReplaceAll(step.sql, "lock_audit", s.table), ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if err := tx.Exec(statement).Error; err != nil {
			return err
		}
	}
	return tx.Exec("INSERT INTO "+schema+" (version, applied_at) VALUES (?, ?)", step.version, time.Now().UnixMicro()).Error
}

// step is one file: the upgrade from the version before.
type step struct {
	version int
	sql     string
}

// steps reads a folder; its files are named by version, which sorts them.
func steps(folder string) ([]step, error) {
	files, err := fs.Glob(migrations, "migrations/"+folder+"/*.sql")
	if err != nil {
		return nil, err
	}
	var all []step
	for _, file := range files {
		number, _, _ := strings.Cut(file[strings.LastIndexByte(file, '/')+1:], "_")
		version, err := strconv.Atoi(number)
		if err != nil {
			return nil, fmt.Errorf("gormsink: %s has no version: %w", file, err)
		}
		text, err := migrations.ReadFile(file)
		if err != nil {
			return nil, err
		}
		all = append(all, step{version, string(text)})
	}
	return all, nil
}

// lockKey returns the key of the advisory lock of a table.
func lockKey(table string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte("holdfast/gormsink/" + table))
	return int64(h.Sum64())
}
