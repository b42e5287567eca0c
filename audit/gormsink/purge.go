// SPDX-License-Identifier: MIT

package gormsink

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
)

// TypePurged is the type of the event that [Sink.Purge] writes, one for each
// stream in a page. Its details are those of [Expiry]; events, how many were
// deleted; and of those with a number n, how many, and from and to, the lowest
// and the highest.
const TypePurged = "audit.purged"

// Expiry selects the events that [Sink.Purge] deletes.
type Expiry struct {
	Before time.Time // of Event.Time; at most in the year 9999
	Type   string    // "": any but audit.purged and audit.opened, which [Sink.Gaps] needs
	Tenant string    // "": any
}

// purgeRows is how many rows a page of Purge looks at.
const purgeRows = 2000

// noteAge is how long the notes of Purge and Erase stay when there is a hook, which
// may have use for them.
const noteAge = 24 * time.Hour

// Purge deletes events that are old, and returns their number, also with an
// error. It works in pages of 2000 rows, oldest first, and each is a transaction
// that also writes events of [TypePurged]; ctx is checked before each. A page that
// the database undoes to end a deadlock is tried up to five times. A page begins where
// the one before ended, so rows that are deleted and still visible to an open
// transaction cost nothing.
func (s *Sink) Purge(ctx context.Context, e Expiry) (int64, error) {
	if s.err != nil {
		return 0, s.err
	}
	if year := e.Before.UTC().Year(); year > 9999 { // no event is that young, and a note could not say it
		return 0, fmt.Errorf("gormsink: purge: %w: before the year %d", audit.ErrInvalid, year)
	}
	var total int64
	for after, more := (*place)(nil), true; more; {
		var n int64
		var end *place
		err := s.changePage(ctx, func(tx *gorm.DB) (err error) {
			n, end, err = s.purgePage(tx, e, after)
			return err
		})
		if err != nil {
			return total, s.dialect.explain("purge", err)
		}
		total += n
		after, more = end, end != nil
	}
	return total, nil
}

const pageTries = 5

// changePage is change for a page, which is tried again when the database has undone
// it to end a deadlock.
func (s *Sink) changePage(ctx context.Context, run func(tx *gorm.DB) error) error {
	for try := 1; ; try++ {
		err := s.change(ctx, run)
		if err == nil || try == pageTries || s.dialect.deadlock == "" || s.dialect.code(err) != s.dialect.deadlock {
			return err
		}
	}
}

// change runs a transaction on the database that is written to, whatever
// replicas there are. On SQLite it takes the lock for writing first: one that
// has read before may not write after another one has.
func (s *Sink) change(ctx context.Context, run func(tx *gorm.DB) error) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if s.dialect.name == "sqlite" {
			if err := tx.Exec("DELETE FROM " + string(s.table) + " WHERE 1 = 0").Error; err != nil {
				return err
			}
		}
		return run(tx)
	}, &sql.TxOptions{Isolation: s.dialect.isolation})
}

// purged is what was deleted of one stream.
type purged struct {
	Stream           *string
	Lowest, Highest  *int64
	Numbered, Events int64
}

// purgePage deletes the next page after a place. It returns the place where the
// page ends, nil for the last one.
func (s *Sink) purgePage(tx *gorm.DB, e Expiry, after *place) (n int64, end *place, err error) {
	where := conditions{dialect: s.dialect}
	where.and("occurred_at < ?", s.dialect.time(e.Before))
	if e.Tenant != "" {
		where.and("tenant <> ''").and("tenant = ?", frozen(e.Tenant))
	}
	if after != nil {
		where.side("occurred_at", ">", *after)
	}
	end, err = s.edge(tx, where)
	if err != nil {
		return 0, nil, err
	}
	if end != nil {
		where.side("occurred_at", "<=", *end)
	}
	if e.Type != "" {
		where.and("type = ?", e.Type)
	} else {
		where.and("type NOT IN (?, ?)", TypePurged, audit.TypeOpened)
	}
	if s.hook != nil {
		where.and("NOT (type IN (?, ?) AND recorded_at > ?)", TypePurged, TypeErased, s.dialect.time(time.Now().Add(-noteAge)))
	}
	groups, err := s.deleted(tx, where)
	if err != nil {
		return 0, nil, err
	}
	notes := make([]audit.Event, 0, len(groups))
	for _, g := range groups {
		n += g.Events
		note := e.note(g)
		if err := s.noted(tx, &note, nil); err != nil {
			return 0, nil, err
		}
		notes = append(notes, note)
	}
	return n, end, s.insert(tx, notes)
}

// edge returns the last place of the next page, nil when less than a page is left.
func (s *Sink) edge(tx *gorm.DB, where conditions) (*place, error) {
	rows, err := tx.Raw("SELECT id, occurred_at FROM "+string(s.table)+where.sql+" ORDER BY occurred_at, id LIMIT 1 OFFSET ?",
		append(slices.Clone(where.args), purgeRows-1)...).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	if !rows.Next() {
		return nil, rows.Err()
	}
	var id string
	end := new(place)
	err = rows.Scan(&id, &end.occurred)
	end.id = id
	return end, err
}

// deleted deletes the rows and returns their numbers by stream.
func (s *Sink) deleted(tx *gorm.DB, where conditions) (groups []purged, err error) {
	const count = "SELECT stream, MIN(seq) AS lowest, MAX(seq) AS highest, COUNT(seq) AS numbered, COUNT(*) AS events FROM "
	if s.dialect.name == "postgres" {
		err := tx.Raw("WITH gone AS (DELETE FROM "+string(s.table)+where.sql+" RETURNING stream, seq) "+count+"gone GROUP BY stream", where.args...).Scan(&groups).Error
		return groups, err
	}
	if err := tx.Raw(count+string(s.table)+where.sql+" GROUP BY stream"+s.dialect.forUpdate, where.args...).Scan(&groups).Error; err != nil || len(groups) == 0 {
		return nil, err
	}
	result := tx.Exec("DELETE FROM "+string(s.table)+where.sql, where.args...)
	var n int64
	for _, g := range groups {
		n += g.Events
	}
	if result.Error == nil && result.RowsAffected != n {
		return nil, fmt.Errorf("%w: %d rows were deleted, and %d counted", audit.ErrUnavailable, result.RowsAffected, n)
	}
	return groups, result.Error
}

func (e Expiry) note(g purged) audit.Event {
	details := []slog.Attr{slog.Time("before", e.Before)}
	if e.Type != "" {
		details = append(details, slog.String("type", e.Type))
	}
	if e.Tenant != "" {
		details = append(details, slog.String("tenant", frozen(e.Tenant)))
	}
	details = append(details, slog.Int64("events", g.Events))
	note := audit.Event{Type: TypePurged, Outcome: audit.Success, Resource: audit.Entity{Type: "audit"}, Tenant: e.Tenant}
	if g.Stream != nil && g.Lowest != nil {
		parseID(&note.Stream, *g.Stream)
		details = append(details, slog.Int64("n", g.Numbered), slog.Int64("from", max(1, *g.Lowest)), slog.Int64("to", *g.Highest))
	}
	note.Details = audit.Fields(details...)
	return own(note)
}

// own makes an event that the sink writes itself, with its id.
func own(e audit.Event) audit.Event {
	m := audit.NewMemory()
	stream := e.Stream
	_ = audit.Direct(m).Record(context.Background(), e) // it is valid
	e = m.Events()[0]
	e.Stream = stream
	return e
}

// frozen returns a text as a recorder freezes it.
func frozen(text string) string { return own(audit.Event{Type: "text", Reason: text}).Reason }
