// SPDX-License-Identifier: MIT

package gormsink_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

// A service makes the table, records through a log, and keeps the events of a
// year.
func Example() {
	run := func(ctx context.Context, db *gorm.DB) (err error) {
		sink := gormsink.New(db)
		if err := sink.Migrate(ctx); err != nil {
			return err
		}
		trail, err := audit.New(sink, audit.Config{})
		if err != nil {
			return err
		}
		defer func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			err = errors.Join(err, trail.Close(ctx)) // the named result; a *audit.LossError says what was not stored
		}()

		if err := trail.Record(ctx, audit.Event{Type: "service.started"}); err != nil {
			return err
		}
		_, err = sink.Purge(ctx, gormsink.Expiry{Before: time.Now().AddDate(-1, 0, 0)})
		return err
	}
	fmt.Println(run(context.Background(), nil))
	// Output: gormsink: audit: invalid: New needs a database
}

// The event is stored if and only if the booking is.
func ExampleSink_In() {
	book := func(ctx context.Context, db *gorm.DB, sink *gormsink.Sink, trail *audit.Log) error {
		return db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			if err := tx.Exec("UPDATE rooms SET free = false WHERE id = 101").Error; err != nil {
				return err
			}
			return sink.In(tx, trail).Record(ctx, audit.Event{Type: "room.booked", Resource: audit.Entity{Type: "room", ID: "101"}})
		})
	}
	_ = book
}

// What happened to a room, newest first.
func ExampleSink_Query() {
	show := func(ctx context.Context, sink *gormsink.Sink) error {
		for e, err := range sink.Query(ctx, gormsink.Criteria{ResourceID: "room/101", Newest: true}) {
			if err != nil {
				return err
			}
			fmt.Println(e.Time, e.Type, e.Actor.ID)
		}
		return nil
	}
	_ = show
}

// What a killed process took along.
func ExampleSink_Gaps() {
	report := func(ctx context.Context, sink *gormsink.Sink) error {
		gaps, err := sink.Gaps(ctx) // a second for a million events; every few minutes is enough
		for _, g := range gaps {
			fmt.Println("missing in", g.Log, "from number", g.From, "on")
		}
		return err
	}
	_ = report
}

// What is new goes to another system.
func ExampleSink_Tail() {
	var ship func(context.Context, []audit.Event) error
	var store func(context.Context, gormsink.Cursor) error
	next := func(ctx context.Context, sink *gormsink.Sink, cursor gormsink.Cursor) error {
		var batch []audit.Event
		for e, err := range sink.Tail(ctx, &cursor) {
			if err != nil {
				return err
			}
			batch = append(batch, e)
		}
		if err := ship(ctx, batch); err != nil {
			return err
		}
		return store(ctx, cursor) // after the batch: an event may be shipped twice, and never not at all
	}
	_ = next
}

// A job of every night.
func ExampleSink_Purge() {
	nightly := func(ctx context.Context, sink *gormsink.Sink) error {
		n, err := sink.Purge(ctx, gormsink.Expiry{Before: time.Now().AddDate(-1, 0, 0)})
		fmt.Println(n, "events deleted")
		return err
	}
	_ = nightly
}

// A person asks to be forgotten.
func ExampleSink_Erase() {
	forget := func(ctx context.Context, sink *gormsink.Sink) error {
		done, err := sink.Erase(ctx, gormsink.Person{Type: "holder", ID: "ana", Keys: []string{"holder", "held_by"}},
			gormsink.Erasure{By: audit.Entity{Type: "clerk", ID: "cleo"}, Reason: "request 7"})
		fmt.Println("erased from", done.Events, "events")
		return err
	}
	_ = forget
}

// A trail that keeps no names, and pseudonyms instead of people.
func Example_redact() {
	open := func(db *gorm.DB, key []byte) (*audit.Log, error) {
		people := audit.Pseudonymize("2026-1", key, "actor_id", "details.conflicts.*.holder", "details.held_by")
		trail, err := audit.New(gormsink.New(db), audit.Config{Redact: []audit.Redaction{
			audit.Omit("actor_name", "session_id", "details.**.email").AnyCase(), people,
		}})
		return trail, err
	}
	_ = open
}
