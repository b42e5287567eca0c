// SPDX-License-Identifier: MIT

// A booking and its event are stored together, or neither is.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/glebarez/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

type Booking struct{ Room, Guest string }

// book stores a booking and its event in one transaction. Record checks and
// redacts the event as the trail does, and its error ends the transaction.
func book(ctx context.Context, db *gorm.DB, sink *gormsink.Sink, trail *audit.Log, b Booking) error {
	return db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		err := sink.In(tx, trail).Record(ctx, audit.Event{
			Type: "room.booked", Outcome: audit.Success,
			Actor: audit.Entity{Type: "guest", ID: b.Guest}, Resource: audit.Entity{Type: "room", ID: b.Room},
		})
		if err != nil {
			return err
		}
		if b.Room == "" {
			return errors.New("no room")
		}
		return tx.Create(&b).Error
	})
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	db, err := gorm.Open(sqlite.Open("file:bookings?mode=memory&cache=shared"), &gorm.Config{Logger: logger.Discard})
	check(err)
	pool, err := db.DB()
	check(err)
	defer pool.Close()
	check(db.AutoMigrate(&Booking{}))
	sink := gormsink.New(db)
	check(sink.Migrate(ctx))
	trail, err := audit.New(sink, audit.Config{})
	check(err)

	fmt.Println(book(ctx, db, sink, trail, Booking{Room: "101", Guest: "ana"}))
	fmt.Println(book(ctx, db, sink, trail, Booking{Guest: "ben"})) // leaves no event
	check(trail.Close(ctx))
	for e, err := range sink.Query(ctx, gormsink.Criteria{Types: []string{"room.booked"}}) {
		check(err)
		fmt.Println(e.Type, e.Actor.ID, e.Resource.ID)
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
