// SPDX-License-Identifier: MIT

package gormsink

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
)

// TypeErased is the type of the event that [Sink.Erase] writes with each page that
// it changes. The actor is who erased, the reason why; its details have events,
// how many were changed, and not the id of the person.
const TypeErased = "audit.erased"

// Erasure says how [Sink.Erase] works.
type Erasure struct {
	By     audit.Entity // who erases; the ID is required
	Reason string       // why, such as the number of the request; required
	// DryRun counts and changes nothing; By and Reason are not needed.
	DryRun bool
	// After is the place to go on from, an [Erased.Next].
	After audit.ID
}

// Erased is the result of [Sink.Erase].
type Erased struct {
	Events int64 // that were changed, or with DryRun would be
	// Possible counts the events in which the id stands where it may or may not
	// mean the person, which Erase leaves as they are.
	Possible int64
	Next     audit.ID // the place to go on from after an error; zero when all is done
}

// eraseRows is how many rows a page of Erase looks at.
const eraseRows = 5000

// Erase removes a person from the trail: exactly the entity of p's Type, ID and
// Tenant. Only events of that tenant are changed.
//
// Where the person is the actor, the resource or the one on whose behalf was
// acted, the id and the name there are emptied and the details replaced by
// {"erased":true}; those of an actor lose session, source address and user
// agent, too. In the details of other events the id becomes "erased": in an
// object with that "type" and "id", together with its "name"; under p's Keys, as
// a text, a number or in an array of them; and wherever it is a whole text, if it
// has at least 8 characters and is not all digits. Everything else stays: the
// type, time and outcome of the events and the id in other places, which
// [Erased.Possible] counts if it is a whole text, number or key there, or the
// reason, the session or the correlation.
//
// Not reached are the id as a part of a longer text, other tables, other sinks,
// and what is still queued: call [audit.Log.Flush] first.
//
// It reads the whole table in pages of 5000 rows, in the order of the key. Each
// page is a transaction, which locks the rows that it changes and writes an event
// of [TypeErased]; so erasures at the same time are safe, and no statement takes
// longer than a page. A page that loses a deadlock is tried again, as by [Sink.Purge].
// After an error call it again, with After set to Next.
func (s *Sink) Erase(ctx context.Context, p Person, how Erasure) (Erased, error) {
	done := Erased{Next: how.After}
	switch {
	case s.err != nil:
		return done, s.err
	case p.ID == "":
		return done, fmt.Errorf("gormsink: erase: %w: a person without an id", audit.ErrInvalid)
	case !how.DryRun && (how.By.ID == "" || how.Reason == ""):
		return done, fmt.Errorf("gormsink: erase: %w: it needs who erases and why", audit.ErrInvalid)
	}
	p.Type, p.ID, p.Tenant = frozen(p.Type), frozen(p.ID), frozen(p.Tenant)
	for after := how.After.String(); after != ""; {
		var page Erased
		var end string
		err := s.changePage(ctx, func(tx *gorm.DB) (err error) {
			page, end, err = s.erasePage(tx, p, how, after)
			return err
		})
		if err != nil {
			return done, s.dialect.explain("erase", err)
		}
		done.Events += page.Events
		done.Possible += page.Possible
		after = end
		parseID(&done.Next, after) // or an earlier place, from which one can go on as well
	}
	done.Next = audit.ID{}
	return done, nil
}

// erasePage erases in the next page after an id. It returns the last id of the page,
// "" for the last page.
func (s *Sink) erasePage(tx *gorm.DB, p Person, how Erasure, after string) (page Erased, end string, err error) {
	var last []string
	if err := tx.Raw("SELECT id FROM "+string(s.table)+" WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?", after, eraseRows-1).Scan(&last).Error; err != nil {
		return page, "", err
	}
	where := conditions{dialect: s.dialect}
	where.and("id > ?", after)
	if len(last) > 0 {
		end = last[0]
		where.and("id <= ?", end)
	}
	where.and("tenant = ?", p.Tenant)
	condition, args := s.naming(p.ID)
	where.and(condition, args...)
	list, err := s.candidates(tx, where, how.DryRun)
	if err != nil {
		return page, "", err
	}
	var erased []audit.Event
	for i := range list {
		c := &list[i]
		changed, possible := p.erase(&c.Event)
		if possible || c.opaque && !changed {
			page.Possible++
		}
		if !changed {
			continue
		}
		page.Events++
		if how.DryRun {
			continue
		}
		if err := s.rewrite(tx, c); err != nil {
			return page, "", err
		}
		erased = append(erased, c.Event)
	}
	if page.Events == 0 || how.DryRun {
		return page, end, nil
	}
	note := own(audit.Event{
		Type: TypeErased, Outcome: audit.Success, Reason: how.Reason, Actor: how.By, Tenant: p.Tenant,
		Resource: audit.Entity{Type: "audit"}, Details: audit.Fields(slog.Int64("events", page.Events)),
	})
	if err := s.noted(tx, &note, erased); err != nil {
		return page, "", err
	}
	return page, end, s.insert(tx, []audit.Event{note})
}

// naming is the condition for rows that may have the id anywhere. JSON can spell a
// text in several ways: with the escapes of [audit.Fields] or of encoding/json,
// or with others, which all have a backslash.
func (s *Sink) naming(id string) (string, []any) {
	const key = len(`{"":"`)
	usual := audit.Fields(slog.String("", id)).String()
	var parts []string
	var args []any
	for _, column := range []string{"actor_id", "resource_id", "on_behalf_of_id", "reason", "session_id", "correlation_id"} {
		parts, args = append(parts, column+" = ?"), append(args, id)
	}
	for _, text := range []string{usual[key : len(usual)-2], `\`} {
		parts, args = append(parts, s.dialect.position+" > 0"), append(args, text)
	}
	return "(" + strings.Join(parts, " OR ") + ")", args
}

// candidate is a row that may have the person.
type candidate struct {
	audit.Event
	id     any  // as it is in the table
	opaque bool // not all of it can be read
}

// candidates reads and locks rows.
func (s *Sink) candidates(tx *gorm.DB, where conditions, dry bool) (list []candidate, err error) {
	query := "SELECT " + columnNames + " FROM " + string(s.table) + where.sql + " ORDER BY id"
	if !dry {
		query += s.dialect.forUpdate
	}
	err = eachRow(tx, query, where.args, func(values []any, e audit.Event, err error) {
		list = append(list, candidate{e, values[0], err != nil})
	})
	return list, err
}

// erasable are the columns that Erase changes.
var erasable = []string{
	"actor_id", "actor_name", "resource_id", "resource_name", "on_behalf_of_id", "on_behalf_of_name",
	"session_id", "source_address", "user_agent", "details",
}

// rewrite stores what Erase has left of an event.
func (s *Sink) rewrite(tx *gorm.DB, e *candidate) error {
	return tx.Exec("UPDATE "+string(s.table)+" SET "+strings.Join(erasable, " = ?, ")+" = ? WHERE id = ?",
		e.Actor.ID, e.Actor.Name, e.Resource.ID, e.Resource.Name, e.OnBehalfOf.ID, e.OnBehalfOf.Name,
		e.Session, e.SourceAddress, e.UserAgent, e.Details.String(), e.id).Error
}
