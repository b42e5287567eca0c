// SPDX-License-Identifier: MIT

package gormsink

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/audit"
)

// Criteria select events. A zero field matches every event.
type Criteria struct {
	ResourceID string // such as the name of a lock
	ActorID    string
	Types      []string        // any of these
	Outcomes   []audit.Outcome // any of these
	From, To   time.Time       // [From, To), of Event.Time
	Newest     bool            // newest first instead of oldest first
}

// place is the position of a row in the order of the trail, as the database gave
// it. The next page begins after it, also when the row cannot be read.
type place struct{ occurred, id any }

const pageRows = 500

// Query yields the events that match c in the order of their time, and those of
// the same time by id. It reads pages of 500 rows, each by an index and from
// where the page before ended, and holds no connection while the caller works
// on a page.
//
// A row that cannot be read is yielded as a [*RowError] with its id, and the
// query goes on. Any other error ends the query and wraps
// [audit.ErrUnavailable]. Events written during the query may be missing.
func (s *Sink) Query(ctx context.Context, c Criteria) iter.Seq2[audit.Event, error] {
	return func(yield func(audit.Event, error) bool) {
		if s.err != nil {
			yield(audit.Event{}, s.err)
			return
		}
		var after *place
		for {
			page, err := s.page(ctx, c, after)
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

// found is a row of a page: an event, or the reason why it cannot be read.
type found struct {
	place
	event audit.Event
	err   error
}

// page reads the next rows. When the database fails in the middle it returns
// the rows before with the error.
func (s *Sink) page(ctx context.Context, c Criteria, after *place) ([]found, error) {
	query, args := s.selection(c, after)
	rows, err := s.db.WithContext(ctx).Raw(query, args...).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var page []found
	for rows.Next() {
		values, e, err := readRow(rows)
		if _, unreadable := err.(*RowError); err != nil && !unreadable {
			return page, err
		}
		page = append(page, found{place{occurred: values[1], id: values[0]}, e, err})
	}
	return page, rows.Err()
}

// selection builds the statement of a page.
func (s *Sink) selection(c Criteria, after *place) (string, []any) {
	var args []any
	query := "SELECT " + columnNames + " FROM " + string(s.table) + " WHERE 1=1"
	and := func(condition string, values ...any) {
		query += " AND " + condition
		args = append(args, values...)
	}
	if c.ResourceID != "" {
		and("resource_id = ?", c.ResourceID)
	}
	if c.ActorID != "" {
		and("actor_id <> '' AND actor_id = ?", c.ActorID) // the first as its index says it
	}
	if len(c.Types) > 0 {
		and("type IN ?", slices.Clone(c.Types))
	}
	if len(c.Outcomes) > 0 {
		var names []string
		for _, o := range c.Outcomes {
			names = append(names, o.String())
		}
		and("outcome IN ?", names)
	}
	if !c.From.IsZero() {
		and("occurred_at >= ?", s.dialect.time(c.From.Add(time.Microsecond-1))) // events have whole microseconds
	}
	if !c.To.IsZero() {
		and("occurred_at < ?", s.dialect.time(c.To.Add(time.Microsecond-1)))
	}
	order, beyond := "", ">"
	if c.Newest {
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
