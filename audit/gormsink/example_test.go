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
			err = errors.Join(err, trail.Close(ctx)) // a *audit.LossError names what was not stored
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
