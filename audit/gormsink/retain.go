// SPDX-License-Identifier: MIT

package gormsink

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
)

const batchRows = 1000

// TypeErased is the type of the event that [Sink.Erase] leaves. Its details
// say how many events were changed, not whose.
const TypeErased = "audit.erased"

// Purge deletes the events whose time is before before and returns how many
// those were, also when it fails half way. It works in statements of 1000
// rows, oldest first, so that none of them holds locks for long; ctx ends it
// between two of them at the latest.
func (s *Sink) Purge(ctx context.Context, before time.Time) (int64, error) {
	if s.err != nil {
		return 0, s.err
	}
	return s.repeat(ctx, "purge", func(db *gorm.DB) *gorm.DB {
		return db.Exec("DELETE FROM "+s.table+" WHERE id IN (SELECT id FROM "+s.table+
			" WHERE occurred_at < ? ORDER BY occurred_at, id LIMIT ?)", s.dialect.time(before), batchRows)
	})
}

// Erase removes what the trail says of a person: in every event whose actor
// has the id it empties the actor's id and name and the session's id, and
// replaces the details by {"erased":true}. That something happened, when and
// to what remains. It returns the number of events, also when it fails half
// way (then call it again), works in statements of 1000 rows, and at the end
// records an event of [TypeErased].
//
// What events of other actors say of the person in their details, such as who
// was in the way, is not found.
func (s *Sink) Erase(ctx context.Context, actorID string) (int64, error) {
	if s.err != nil {
		return 0, s.err
	}
	if actorID == "" {
		return 0, fmt.Errorf("gormsink: erase: %w: no actor", audit.ErrInvalid)
	}
	n, err := s.repeat(ctx, "erase", func(db *gorm.DB) *gorm.DB {
		return db.Exec("UPDATE "+s.table+" SET actor_id = '', actor_name = '', session_id = '', details = ? WHERE id IN (SELECT id FROM "+
			s.table+" WHERE actor_id <> '' AND actor_id = ? LIMIT ?)", `{"erased":true}`, actorID, batchRows)
	})
	if err != nil || n == 0 {
		return n, err
	}
	return n, audit.Direct(s).Record(ctx, audit.Event{
		Type: TypeErased, Outcome: audit.Success, Details: audit.Fields(slog.Int64("events", n)),
	})
}

// repeat runs a statement that changes at most batchRows rows until it finds
// fewer, and adds up.
func (s *Sink) repeat(ctx context.Context, what string, run func(*gorm.DB) *gorm.DB) (int64, error) {
	var n int64
	for {
		if err := ctx.Err(); err != nil {
			return n, s.dialect.explain(what, err)
		}
		result := run(s.db.WithContext(ctx))
		n += result.RowsAffected
		if result.Error != nil {
			return n, s.dialect.explain(what, result.Error)
		}
		if result.RowsAffected < batchRows {
			return n, nil
		}
	}
}
