// SPDX-License-Identifier: MIT

package gormsink

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/audit"
)

// Filter says which events are wanted; its zero fields say nothing, so the
// zero Filter wants them all.
type Filter struct {
	ResourceID string // such as the name of a lock
	ActorID    string
	Types      []string        // any of these
	Outcomes   []audit.Outcome // any of these
	From, To   time.Time       // [From, To), of Event.Time
	Newest     bool            // newest first instead of oldest first
}

const pageRows = 500

// Query yields the events that the filter wants in the order of their time,
// those of the same time by id. It reads pages of 500 rows, each found by an
// index and where the page before ended, and holds no connection while the
// caller works on a page.
//
// A row that cannot be read comes as a [*RowError] with its id, and the next
// row follows. Any other error is the last thing yielded and wraps
// [audit.ErrUnavailable]. Events written meanwhile may or may not be seen.
func (s *Sink) Query(ctx context.Context, f Filter) iter.Seq2[audit.Event, error] {
	return func(yield func(audit.Event, error) bool) {
		if s.err != nil {
			yield(audit.Event{}, s.err)
			return
		}
		var after *place
		for {
			page, err := s.page(ctx, f, after)
			for _, r := range page {
				if !yield(r.event, r.err) {
					return
				}
			}
			if err != nil {
				yield(audit.Event{}, s.dialect.explain("query", err))
				return
			}
			if len(page) < pageRows {
				return
			}
			after = &page[len(page)-1].place
		}
	}
}

// found is a row of a page: an event, or why it is none.
type found struct {
	place
	event audit.Event
	err   error
}

// page reads the next rows. When the database fails in the middle it returns
// the rows before with the error.
func (s *Sink) page(ctx context.Context, f Filter, after *place) ([]found, error) {
	query, args := s.selection(f, after)
	rows, err := s.db.WithContext(ctx).Raw(query, args...).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var page []found
	for rows.Next() {
		at, e, err := readRow(rows)
		if _, unreadable := err.(*RowError); err != nil && !unreadable {
			return page, err
		}
		page = append(page, found{at, e, err})
	}
	return page, rows.Err()
}

// selection builds the statement of a page.
func (s *Sink) selection(f Filter, after *place) (string, []any) {
	var args []any
	query := "SELECT "
	for i, c := range columns {
		if i > 0 {
			query += ","
		}
		query += c
	}
	query += " FROM " + s.table + " WHERE 1=1"
	and := func(condition string, values ...any) {
		query += " AND " + condition
		args = append(args, values...)
	}
	if f.ResourceID != "" {
		and("resource_id = ?", f.ResourceID)
	}
	if f.ActorID != "" {
		and("actor_id <> '' AND actor_id = ?", f.ActorID) // the first as its index says it
	}
	if len(f.Types) > 0 {
		and("type IN ?", slices.Clone(f.Types))
	}
	if len(f.Outcomes) > 0 {
		var names []string
		for _, o := range f.Outcomes {
			names = append(names, o.String())
		}
		and("outcome IN ?", names)
	}
	if !f.From.IsZero() {
		and("occurred_at >= ?", s.dialect.time(f.From.Add(time.Microsecond-1))) // events have whole microseconds
	}
	if !f.To.IsZero() {
		and("occurred_at < ?", s.dialect.time(f.To.Add(time.Microsecond-1)))
	}
	order, beyond := "", ">"
	if f.Newest {
		order, beyond = " DESC", "<"
	}
	if after != nil {
		if s.dialect.rowValues {
			and("(occurred_at, id) "+beyond+" (?, ?)", after.occurred, after.id)
		} else { // the first condition is for the index, the second for the order
			and("occurred_at "+beyond+"= ?", after.occurred)
			and("(occurred_at "+beyond+" ? OR id "+beyond+" ?)", after.occurred, after.id)
		}
	}
	query += " ORDER BY occurred_at" + order + ", id" + order + " LIMIT ?"
	return query, append(args, pageRows)
}
