// SPDX-License-Identifier: MIT

package gormsink

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/audit"
)

// Sink keeps a trail in a table. It is safe for concurrent use. Make one with
// [New].
type Sink struct {
	db      *gorm.DB
	table   string
	dialect dialect
	err     error // what every method answers when the options make no sense
}

var _ audit.Sink = (*Sink)(nil)

// Option is how New's defaults are changed.
type Option func(*Sink)

// WithTable names the table; default "lock_audit". Migrate also makes
// <table>_schema and indexes that begin with the name. It must be a plain
// identifier of at most 40 letters, digits and underscores; any other name
// makes every method fail.
func WithTable(name string) Option { return func(s *Sink) { s.table = name } }

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,39}$`)

// New returns a sink on the caller's db, which it never closes. It does no I/O;
// call [Sink.Migrate] before the first write.
//
// Its statements run on a session of their own: GORM's logger is silent there,
// since it would print the values, and GORM adds no transaction.
func New(db *gorm.DB, opts ...Option) *Sink {
	s := &Sink{table: "lock_audit"}
	for _, o := range opts {
		if o != nil {
			o(s)
		}
	}
	switch {
	case db == nil || db.Config == nil || db.Dialector == nil:
		s.err = fmt.Errorf("gormsink: %w: no database", audit.ErrInvalid)
	case !identifier.MatchString(s.table):
		s.err = fmt.Errorf("gormsink: %w: %q is no plain name of a table", audit.ErrInvalid, s.table)
	default:
		s.db = db.Session(&gorm.Session{NewDB: true, SkipDefaultTransaction: true, Logger: logger.Discard})
		s.dialect = dialectOf(db.Dialector.Name())
	}
	return s
}

// In returns a recorder that writes in the caller's own transaction, at once
// and on the caller's goroutine: the event is stored if and only if tx commits.
// A failed write fails tx on databases such as PostgreSQL.
func (s *Sink) In(tx *gorm.DB) audit.Recorder {
	return audit.Direct(New(tx, WithTable(s.table)))
}

// Write implements [audit.Sink]. The batch is stored as a whole or not at all.
// Ids that are there already are ignored, so writing again changes nothing.
//
// There are few different statements to prepare: on PostgreSQL a single one,
// which takes a batch of any size as an array for each column; elsewhere one
// for each power of two of rows, at most 64. Only a batch that needs several
// of those is wrapped in a transaction.
//
// Errors wrap [audit.ErrPermanent] when the database refuses a value, and
// [audit.ErrUnavailable] otherwise. Their text never quotes an event.
func (s *Sink) Write(ctx context.Context, batch []audit.Event) error {
	if s.err != nil {
		return s.err
	}
	if len(batch) == 0 {
		return nil
	}
	db := s.db.WithContext(ctx)
	insert := func(db *gorm.DB) error { return s.insert(db, batch) }
	var err error
	if s.dialect.rows(len(batch)) == len(batch) {
		err = insert(db)
	} else {
		err = db.Transaction(insert)
	}
	if err != nil {
		return s.dialect.explain("insert", err)
	}
	return nil
}

func (s *Sink) insert(db *gorm.DB, batch []audit.Event) error {
	now := time.Now()
	for len(batch) > 0 {
		n := s.dialect.rows(len(batch))
		statement, args := s.dialect.insert(s.table, batch[:n], now)
		if err := db.Exec(statement, args...).Error; err != nil {
			return err
		}
		batch = batch[n:]
	}
	return nil
}
