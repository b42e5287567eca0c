// SPDX-License-Identifier: MIT

package gormsink

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/internal/configerr"
)

// Sink stores a trail in a table. It is safe for concurrent use. Make one with
// [New].
type Sink struct {
	db      *gorm.DB
	table   table
	dialect dialect
	grace   time.Duration
	hook    Hook
	err     error // of every method, when the arguments of New make no sense
}

var _ audit.Sink = (*Sink)(nil)

// Option changes a default of [New].
type Option func(*Sink)

// WithTable names the table; default "lock_audit". [Sink.Migrate] also makes
// <table>_schema and indexes that begin with the name. The name must be an
// identifier of at most 40 ASCII letters, digits and underscores, and may have
// that of a schema before it, such as "audit.events"; with another one every
// method returns [audit.ErrInvalid]. Migrate does not create the schema.
func WithTable(name string) Option { return func(s *Sink) { s.table = table(name) } }

// WithGrace is how long [Sink.Tail] waits for what may still be committed; default
// one minute. It should be longer than the longest transaction of [Sink.In] and
// the differences of clocks.
func WithGrace(d time.Duration) Option { return func(s *Sink) { s.grace = d } }

var identifier = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]{0,39}\.)?[A-Za-z_][A-Za-z0-9_]{0,39}$`)

// New returns a sink on the caller's db, which it does not close. It does no I/O;
// call [Sink.Migrate] before the first write. With a nil db every method returns
// [audit.ErrInvalid]. Nil options are skipped.
//
// The statements run on a GORM session of their own: without GORM's logger, which
// would print values of events, and without GORM's default transactions.
func New(db *gorm.DB, opts ...Option) *Sink {
	s := &Sink{table: "lock_audit", grace: time.Minute}
	for _, o := range opts {
		if o != nil {
			o(s)
		}
	}
	switch {
	case db == nil || db.Config == nil || configerr.IsNil(db.Dialector):
		s.err = fmt.Errorf("gormsink: %w: New needs a database", audit.ErrInvalid)
	case !identifier.MatchString(string(s.table)):
		s.err = fmt.Errorf("gormsink: %w: %q is no plain name of a table", audit.ErrInvalid, s.table)
	default:
		s.db = db.Session(&gorm.Session{NewDB: true, SkipDefaultTransaction: true, Logger: logger.Discard})
		s.dialect, s.err = dialectOf(db.Dialector.Name())
		s.err = errors.Join(s.err, settle(s.db.Config))
	}
	return s
}

// settle makes the session's own copy of the caller's settings one that a sink
// can work with.
func settle(cfg *gorm.Config) error {
	if cfg.DryRun {
		return fmt.Errorf("gormsink: %w: a database in DryRun stores nothing", audit.ErrInvalid)
	}
	cfg.NamingStrategy = schema.NamingStrategy{} // that of the results of our own statements
	// GORM's translated errors do not say which constraint was violated. Old
	// versions of GORM do not have the field.
	if translate := reflect.ValueOf(cfg).Elem().FieldByName("TranslateError"); translate.IsValid() {
		translate.SetBool(false)
	}
	return nil
}

// In returns a recorder that writes in the caller's transaction, at once and on
// the caller's goroutine: the event is stored if and only if tx commits. The
// Enrich and Redact of trail's configuration are applied; trail may be nil. On
// databases such as PostgreSQL a failed write fails tx. With a nil tx, Record
// returns [audit.ErrInvalid].
func (s *Sink) In(tx *gorm.DB, trail *audit.Log) audit.Recorder {
	if s.err != nil {
		return audit.Direct(s)
	}
	return trail.Direct(New(tx, WithTable(string(s.table))))
}

// Write implements [audit.Sink]. The batch is stored as a whole or not at all.
// Rows with an id that is stored already are ignored.
//
// On PostgreSQL a batch is one statement, with an array for each column. On other
// databases a statement takes a power of two of rows, at most 64, so there are
// few different statements to prepare; a batch of several statements is one
// transaction.
//
// Errors wrap [audit.ErrPermanent] when the database refuses a value, and
// [audit.ErrUnavailable] otherwise. Their text quotes no event.
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
		err = db.Transaction(insert, &sql.TxOptions{Isolation: s.dialect.isolation})
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
		if err := s.store(db, batch[:n], now); err != nil {
			return err
		}
		batch = batch[n:]
	}
	return nil
}

// store runs one INSERT. MySQL cannot say that only a conflict on the id is to be
// ignored, so the rows with ids that are stored already are left out after one.
// This needs no right to change rows, and sees what others have committed in
// between, unless a transaction of the caller's is older than that.
func (s *Sink) store(db *gorm.DB, rows []audit.Event, now time.Time) error {
	if len(rows) == 0 {
		return nil
	}
	statement, args := s.dialect.insert(string(s.table), rows, now)
	err := db.Exec(statement, args...).Error
	if err == nil || s.dialect.duplicate == "" || s.dialect.code(err) != s.dialect.duplicate {
		return err
	}
	ids := make([]string, len(rows))
	for i := range rows {
		ids[i] = rows[i].ID.String()
	}
	var stored []string
	if err := db.Raw(source+"SELECT id FROM "+string(s.table)+" WHERE id IN ?", ids).Scan(&stored).Error; err != nil {
		return err
	}
	known := make(map[string]bool)
	for _, id := range stored {
		known[id] = true
	}
	var rest []audit.Event
	for i, id := range ids {
		if !known[id] {
			known[id] = true
			rest = append(rest, rows[i])
		}
	}
	if len(rest) == len(rows) {
		return err // of another index
	}
	return s.store(db, rest, now)
}
