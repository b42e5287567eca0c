// SPDX-License-Identifier: MIT

package integration

import (
	"context"
	"fmt"
	"time"

	"github.com/glebarez/sqlite"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

func Example_auditTrail() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	db, err := gorm.Open(sqlite.Open("file:example?mode=memory&cache=shared"), &gorm.Config{})
	if err != nil {
		panic(err)
	}
	if pool, err := db.DB(); err == nil {
		defer pool.Close()
	}
	sink := gormsink.New(db)
	if err := sink.Migrate(ctx); err != nil {
		panic(err)
	}
	trail, err := audit.New(sink, audit.Config{})
	if err != nil {
		panic(err)
	}
	for _, kind := range []string{"lock.acquired", "lock.released"} {
		if err := trail.Record(ctx, audit.Event{Type: kind, Resource: audit.Entity{Type: "lock", ID: "room/101"}}); err != nil {
			panic(err)
		}
	}
	if err := trail.Close(ctx); err != nil {
		panic(err)
	}
	for e, err := range sink.Query(ctx, gormsink.Criteria{ResourceID: "room/101"}) {
		fmt.Println(e.Type, err)
	}
	erased, err := sink.Erase(ctx, gormsink.Person{Type: "guest", ID: "ana"}, gormsink.Erasure{DryRun: true})
	fmt.Println(erased.Events, err)
	// Output:
	// lock.acquired <nil>
	// lock.released <nil>
	// 0 <nil>
}
