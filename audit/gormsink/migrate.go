// SPDX-License-Identifier: MIT

package gormsink

import (
	"context"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"gorm.io/gorm"
)

// versions has the statements that make each version of the table from the one
// before. A version may only add to the one before: indexes, and columns that an
// INSERT may leave out. So programs of both versions read and write one table.
//
// The folder migrations has the same statements as files, for goose and Atlas.
var versions = []func(dialect, table) []string{dialect.create}

// table is the name of the table, with that of its schema or without.
type table string

// schema is the table with the versions.
func (t table) schema() string { return string(t) + "_schema" }

// split returns the schema with its dot, or "", and the name in it.
func (t table) split() (schema, name string) {
	i := strings.LastIndexByte(string(t), '.') + 1
	return string(t[:i]), string(t[i:])
}

// create is the first version.
func (d dialect) create(t table) []string {
	schema, name := t.split()
	var text strings.Builder
	fmt.Fprintf(&text, "CREATE TABLE %s (", t)
	for _, c := range columns {
		fmt.Fprintf(&text, "\n    %-17s %s", c.name, d.types[c.kind])
		switch {
		case c.name == "id":
			text.WriteString(" NOT NULL PRIMARY KEY")
		case !c.null:
			text.WriteString(" NOT NULL")
		}
		text.WriteByte(',')
	}
	list := []string{strings.TrimSuffix(text.String(), ",") + "\n)"}
	for _, i := range indexes {
		unique := ""
		if i.unique {
			unique = "UNIQUE "
		}
		if d.inTable { // one statement makes it all or nothing
			list[0] = fmt.Sprintf("%s,\n    %sINDEX %s_%s (%s)\n)", strings.TrimSuffix(list[0], "\n)"), unique, name, i.name, i.columns)
			continue
		}
		statement := fmt.Sprintf("CREATE %sINDEX %s_%s ON %s (%s)", unique, name, i.name, t, i.columns)
		if d.name == "sqlite" {
			statement = fmt.Sprintf("CREATE %sINDEX %s%s_%s ON %s (%s)", unique, schema, name, i.name, name, i.columns)
		}
		if i.sparse != "" {
			statement += " WHERE " + i.sparse + " <> ''"
		}
		list = append(list, statement)
	}
	return list
}

// Migrate makes the table, or upgrades it to the newest version. It does nothing
// when the table has that version or a later one, so that a role that may not
// create anything can call it then, nor when the table has all the columns, as
// one that goose or Atlas has made. The version is stored in <table>_schema.
//
// On PostgreSQL and SQLite it is one transaction, and several processes may call
// it at the same time: an advisory lock, or SQLite's write lock, orders them. On
// MySQL and MariaDB one statement makes the table.
//
// The folder migrations has the statements as files. Errors wrap
// [audit.ErrUnavailable] or [audit.ErrPermanent].
func (s *Sink) Migrate(ctx context.Context) error {
	if s.err != nil {
		return s.err
	}
	db := s.db.WithContext(ctx)
	if s.complete(db) {
		return nil
	}
	var err error
	if s.dialect.lock == "" {
		err = s.createSchema(db)
	}
	if err == nil {
		err = db.Transaction(func(tx *gorm.DB) error { return s.upgrade(tx, versions) })
	}
	if err != nil && !s.complete(db) { // another process may have made it on MySQL
		return s.dialect.explain("migrate", err)
	}
	return nil
}

// complete reports whether the table is one of this version or a later one.
func (s *Sink) complete(db *gorm.DB) bool {
	version, err := s.version(db)
	return err == nil && version >= len(versions) ||
		db.Exec("SELECT "+columnNames+" FROM "+string(s.table)+" WHERE 1 = 0").Error == nil
}

func (s *Sink) version(db *gorm.DB) (version int, err error) {
	err = db.Raw("SELECT COALESCE(MAX(version), 0) FROM " + s.table.schema()).Scan(&version).Error
	return version, err
}

func (s *Sink) createSchema(db *gorm.DB) error {
	return db.Exec("CREATE TABLE IF NOT EXISTS " + s.table.schema() + " (version integer NOT NULL PRIMARY KEY, applied_at bigint NOT NULL)").Error
}

// upgrade applies the versions that are missing, in the transaction tx.
func (s *Sink) upgrade(tx *gorm.DB, versions []func(dialect, table) []string) error {
	if err := s.lockOut(tx); err != nil {
		return err
	}
	version, err := s.version(tx)
	if err != nil {
		return err
	}
	for ; version < len(versions); version++ {
		for _, statement := range versions[version](s.dialect, s.table) {
			if err := tx.Exec(statement).Error; err != nil {
				return err
			}
		}
		if err := tx.Exec("INSERT INTO "+s.table.schema()+" (version, applied_at) VALUES (?, ?)", version+1, time.Now().UnixMicro()).Error; err != nil {
			return err
		}
	}
	return nil
}

// lockOut locks out other migrations until tx ends: by PostgreSQL's advisory
// lock, or by an UPDATE that changes nothing but takes the lock for writing.
// SQLite waits for that lock only while tx has read nothing, so the table of the
// schema must exist before.
func (s *Sink) lockOut(tx *gorm.DB) error {
	if s.dialect.lock == "" {
		return tx.Exec("UPDATE " + s.table.schema() + " SET version = version").Error
	}
	if err := tx.Exec(s.dialect.lock, lockKey(string(s.table))).Error; err != nil {
		return err
	}
	return s.createSchema(tx)
}

// lockKey returns the key of the advisory lock of a table.
func lockKey(table string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte("holdfast/gormsink/" + table))
	return int64(h.Sum64())
}
