// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"time"

	"github.com/glebarez/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

// service makes the parts, and what ends them.
func service(ctx context.Context) (*session.Manager[User], *audit.Log, *gormsink.Sink, func()) {
	users, err := session.New(memsession.New(), session.Config[User]{Name: "users"})
	check(err)
	users.Start()
	db, err := gorm.Open(sqlite.Open("file:erasure?mode=memory&cache=shared"), &gorm.Config{Logger: logger.Discard})
	check(err)
	pool, err := db.DB()
	check(err)
	sink := gormsink.New(db)
	check(sink.Migrate(ctx))
	trail, err := audit.New(sink, audit.Config{})
	check(err)
	return users, trail, sink, func() {
		check(users.Stop(ctx))
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		check(trail.Close(ctx))
		check(pool.Close())
	}
}
