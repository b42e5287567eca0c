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
//
// Queries by ActorID, ResourceID, Tenant, by From and To, and by RecordedFrom and
// RecordedTo have an index. Give the others one of these as well, usually From:
// without, they read the whole table.
type Criteria struct {
	ResourceType, ResourceID string // an ID such as the name of a lock
	ActorType, ActorID       string
	Tenant, Session, TraceID string
	Types                    []string        // any of these
	Outcomes                 []audit.Outcome // any of these
	From, To                 time.Time       // [From, To), of Event.Time
	RecordedFrom, RecordedTo time.Time       // [RecordedFrom, RecordedTo), of the time of writing
	Newest                   bool            // newest first instead of oldest first
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
// query goes on. Any other error ends the query and wraps [audit.ErrUnavailable] or
// [audit.ErrPermanent]. Events written during the query may be missing.
func (s *Sink) Query(ctx context.Context, c Criteria) iter.Seq2[audit.Event, error] {
	return func(yield func(audit.Event, error) bool) {
		if s.err != nil {
			yield(audit.Event{}, s.err)
			return
		}
		var after *place
		for {
			query, args := s.selection(c, after)
			page, err := find(s.db.WithContext(ctx), query, args)
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
			last := &page[len(page)-1]
			after = &place{last.occurred, last.id}
		}
	}
}

// selection builds the statement of a page.
func (s *Sink) selection(c Criteria, after *place) (string, []any) {
	where := conditions{dialect: s.dialect}
	for _, f := range []struct {
		column, value string
		sparse        bool // as its index says it
	}{
		{"resource_type", c.ResourceType, false}, {"resource_id", c.ResourceID, true},
		{"actor_type", c.ActorType, false}, {"actor_id", c.ActorID, true},
		{"tenant", c.Tenant, true}, {"session_id", c.Session, false}, {"trace_id", c.TraceID, false},
	} {
		if f.value == "" {
			continue
		}
		if f.sparse {
			where.and(f.column + " <> ''")
		}
		where.and(f.column+" = ?", frozen(f.value))
	}
	if len(c.Types) > 0 {
		where.and("type IN ?", slices.Clone(c.Types))
	}
	if len(c.Outcomes) > 0 {
		var names []string
		for _, o := range c.Outcomes {
			names = append(names, o.String())
		}
		where.and("outcome IN ?", names)
	}
	where.span("occurred_at", c.From, c.To)
	where.span("recorded_at", c.RecordedFrom, c.RecordedTo)
	order, beyond := "", ">"
	if c.Newest {
		order, beyond = " DESC", "<"
	}
	if after != nil {
		where.side("occurred_at", beyond, *after)
	}
	return "SELECT " + columnNames + " FROM " + string(s.table) + where.sql + " ORDER BY occurred_at" + order + ", id" + order + " LIMIT ?", append(where.args, pageRows)
}

// conditions are the WHERE of a statement.
type conditions struct {
	dialect dialect
	sql     string
	args    []any
}

func (c *conditions) and(condition string, values ...any) *conditions {
	if c.sql == "" {
		c.sql = " WHERE "
	} else {
		c.sql += " AND "
	}
	c.sql += condition
	c.args = append(c.args, values...)
	return c
}

// span bounds a column of time by [from, to).
func (c *conditions) span(column string, from, to time.Time) {
	const up = time.Microsecond - 1 // events have whole microseconds
	if !from.IsZero() {
		c.and(column+" >= ?", c.dialect.time(from.Add(up)))
	}
	if !to.IsZero() {
		c.and(column+" < ?", c.dialect.time(to.Add(up)))
	}
}

// side keeps what is on one side of a place, in the order of a column of time: after it
// (>), before it (<), or up to it (<=).
func (c *conditions) side(column, operator string, p place) {
	if c.dialect.rowValues {
		c.and("("+column+", id) "+operator+" (?, ?)", p.occurred, p.id)
		return
	}
	strict := operator[:1]
	// The first condition is for the index, the second for the order.
	c.and(column+" "+strict+"= ?", p.occurred)
	c.and("("+column+" "+strict+" ? OR id "+operator+" ?)", p.occurred, p.id)
}
