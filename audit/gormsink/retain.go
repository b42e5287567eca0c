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

// TypeErased is the type of the event that [Sink.Erase] records. Its details have
// the number of events that were changed, and not the id of the person.
const TypeErased = "audit.erased"

// Purge deletes the events with a time before before, and returns their number,
// also with an error. Each statement deletes 1000 rows at most, oldest first, so
// that none holds locks for long; ctx is checked before each.
func (s *Sink) Purge(ctx context.Context, before time.Time) (int64, error) {
	if s.err != nil {
		return 0, s.err
	}
	return s.repeat(ctx, "purge", func(db *gorm.DB) *gorm.DB {
		return db.Exec("DELETE FROM "+string(s.table)+" WHERE id IN (SELECT id FROM "+string(s.table)+
			" WHERE occurred_at < ? ORDER BY occurred_at, id LIMIT ?)", s.dialect.time(before), batchRows)
	})
}

// Erase removes a person's id and data from the trail. In events whose actor has
// the id, it empties the actor's id and name and the session's id, and replaces
// the details by {"erased":true}. In the details of all other events it replaces
// every text that equals the id by "erased", such as the holder in a conflict.
// The type, time and resource of the events stay.
//
// It returns the number of changed events, also with an error; after an error,
// call it again. At the end it records an event of [TypeErased]. It reads the
// whole table once and changes 1000 rows at most in a statement. Events that are
// still queued are not found: call [audit.Log.Flush] first.
//
// These stay: the id in other fields, the id as a part of a longer text, and
// events in other sinks.
func (s *Sink) Erase(ctx context.Context, actorID string) (int64, error) {
	if s.err != nil {
		return 0, s.err
	}
	if actorID == "" {
		return 0, fmt.Errorf("gormsink: erase: %w: no actor", audit.ErrInvalid)
	}
	n, err := s.repeat(ctx, "erase", func(db *gorm.DB) *gorm.DB {
		return db.Exec("UPDATE "+string(s.table)+" SET actor_id = '', actor_name = '', session_id = '', details = ? WHERE id IN (SELECT id FROM "+
			string(s.table)+" WHERE actor_id <> '' AND actor_id = ? LIMIT ?)", `{"erased":true}`, actorID, batchRows)
	})
	if err == nil {
		var named int64
		named, err = s.eraseNamed(ctx, actorID)
		n += named
	}
	if err != nil || n == 0 {
		return n, err
	}
	return n, audit.Direct(s).Record(ctx, audit.Event{
		Type: TypeErased, Outcome: audit.Success, Details: audit.Fields(slog.Int64("events", n)),
	})
}

// eraseNamed erases the id from the details of other actors' events, in the order
// of the table's key. JSON can spell a text in several ways; it looks for the
// spellings of [audit.Fields] and of encoding/json.
func (s *Sink) eraseNamed(ctx context.Context, actorID string) (n int64, err error) {
	usual := audit.Fields(slog.String("", actorID)).String()
	marshalled := audit.JSON(map[string]string{"": actorID}).String()
	const key = len(`{"":`)
	find := "SELECT id, details FROM " + string(s.table) + " WHERE id > ? AND (" + s.dialect.position + " > 0 OR " + s.dialect.position + " > 0) ORDER BY id LIMIT ?"
	after := audit.ID{}.String()
	for {
		var rows []struct{ ID, Details string }
		db := s.db.WithContext(ctx)
		if err := db.Raw(find, after, usual[key:len(usual)-1], marshalled[key:len(marshalled)-1], batchRows).Scan(&rows).Error; err != nil {
			return n, s.dialect.explain("erase", err)
		}
		for _, row := range rows {
			after = row.ID
			d, err := audit.ParseDetails(row.Details)
			if err != nil {
				continue // Query reports unreadable rows
			}
			erased := d.ReplaceText(actorID, "erased")
			if erased == d { // as a key, or a part of one text
				continue
			}
			if err := db.Exec("UPDATE "+string(s.table)+" SET details = ? WHERE id = ?", erased.String(), row.ID).Error; err != nil {
				return n, s.dialect.explain("erase", err)
			}
			n++
		}
		if len(rows) < batchRows {
			return n, nil
		}
	}
}

// repeat runs a statement that changes at most batchRows rows until it changes
// fewer, and returns the sum.
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
