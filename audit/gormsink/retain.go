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

// Erase removes what the trail says of a person who has the given id. In
// events whose actor that is it empties the actor's id and name and the
// session's id, and replaces the details by {"erased":true}. In the details of
// all other events, such as who was in the way of a lock, it replaces every
// text that equals the id by "erased". That something happened, when and to
// what remains.
//
// It returns the number of events, also when it fails half way (then call it
// again), and at the end records an event of [TypeErased]. It reads the table
// once and changes 1000 rows at a time at most, so that no lock is held for
// long. Events that are not written yet are not found: [audit.Log.Flush]
// before.
//
// What else names the person stays: another actor's fields, a text that has
// the id as a part of it, and what other sinks have.
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

// eraseNamed goes through the details in which the id is a text, in the order
// of the table's key. A text of JSON can be spelled in more than one way; the
// two that are looked for are those of [audit.Fields] and of encoding/json.
func (s *Sink) eraseNamed(ctx context.Context, actorID string) (n int64, err error) {
	usual := audit.Fields(slog.String("", actorID)).String()
	marshalled := audit.JSON(map[string]string{"": actorID}).String()
	const key = len(`{"":`)
	find := "SELECT id, details FROM " + s.table + " WHERE id > ? AND (" + s.dialect.position + " > 0 OR " + s.dialect.position + " > 0) ORDER BY id LIMIT ?"
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
				continue // unreadable rows say so when they are read
			}
			erased := d.ReplaceText(actorID, "erased")
			if erased == d { // as a key, or a part of one text
				continue
			}
			if err := db.Exec("UPDATE "+s.table+" SET details = ? WHERE id = ?", erased.String(), row.ID).Error; err != nil {
				return n, s.dialect.explain("erase", err)
			}
			n++
		}
		if len(rows) < batchRows {
			return n, nil
		}
	}
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
