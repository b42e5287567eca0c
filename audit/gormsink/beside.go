// SPDX-License-Identifier: MIT

package gormsink

import (
	"context"
	"database/sql"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
)

// This file is for packages that keep tables of their own beside the trail, such as
// audit/seal.

// Hook is called in the transaction of each page that [Sink.Erase] or [Sink.Purge]
// changes, for each note, after the change and before the note is stored. It may
// add to the note's details; erased are the events that Erase has changed, as they
// are now, and nil for Purge. An error undoes the page; its text is shown when it wraps
// [audit.ErrUnavailable], and must then quote no value.
type Hook func(tx *gorm.DB, s *Sink, note *audit.Event, erased []audit.Event) error

// WithHook sets the hook of Erase and Purge. Purge then leaves notes of the two that
// are younger than a day.
func WithHook(h Hook) Option { return func(s *Sink) { s.hook = h } }

// noted runs the hook for a note.
func (s *Sink) noted(tx *gorm.DB, note *audit.Event, erased []audit.Event) error {
	if s.hook == nil {
		return nil
	}
	return s.hook(tx, s, note, erased)
}

// Table returns the name of the table, with that of its schema if [WithTable] named
// one.
func (s *Sink) Table() string { return string(s.table) }

// Change runs a transaction on the database that is written to, whatever replicas
// there are. what is for the text of the error, which quotes no value and wraps
// [audit.ErrUnavailable] or [audit.ErrPermanent], and the error of run.
func (s *Sink) Change(ctx context.Context, what string, run func(tx *gorm.DB) error) error {
	return s.explained(what, func() error { return s.change(ctx, run) })
}

// Snapshot is [Sink.Change] for reading: every statement of run sees the database
// as it was at the first one.
func (s *Sink) Snapshot(ctx context.Context, what string, run func(tx *gorm.DB) error) error {
	return s.explained(what, func() error {
		how := &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
		if s.dialect.name == "sqlite" {
			how = nil // every transaction of SQLite is one
		}
		return s.db.WithContext(ctx).Transaction(run, how)
	})
}

func (s *Sink) explained(what string, call func() error) error {
	if s.err != nil {
		return s.err
	}
	if err := call(); err != nil {
		return s.dialect.explain(what, err)
	}
	return nil
}

// Row is a row of the table.
type Row struct {
	audit.Event
	Recorded time.Time // when it was written
	Err      error     // a [*RowError] when it cannot be read; of the event, only the ID is set
}

// Rows calls do for the rows of "SELECT … FROM <table> " and rest, in tx, of [Sink.Change]
// or [Sink.Snapshot], as the database sends them: do must not use tx.
func (s *Sink) Rows(tx *gorm.DB, do func(Row), rest string, args ...any) error {
	return eachRow(tx, source+"SELECT "+columnNames+" FROM "+string(s.table)+" "+rest, args, func(values []any, e audit.Event, err error) {
		if err != nil {
			e = audit.Event{ID: e.ID}
		}
		r := Row{Event: e, Err: err}
		r.Recorded, _ = parseTime(values[columnAt["recorded_at"]])
		do(r)
	})
}
