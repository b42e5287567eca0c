// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

func record(ctx context.Context, db *gorm.DB) error {
	sink := gormsink.New(db)
	if err := sink.Migrate(ctx); err != nil {
		return err
	}
	trail, err := audit.New(sink, audit.Config{})
	if err != nil {
		return err
	}
	err = trail.Record(ctx, audit.Event{
		Type: "room.key.issued", Outcome: audit.Success,
		Actor: audit.Entity{Type: "guest", ID: "ana"}, Resource: audit.Entity{Type: "room", ID: "101"},
	})
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(err, trail.Close(ctx)) // writes what is queued
}
