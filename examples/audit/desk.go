// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/glebarez/sqlite"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

// temporary returns the name of a new file, and what removes it.
func temporary() (file string, remove func()) {
	dir, err := os.MkdirTemp("", "audit")
	check(err)
	return filepath.Join(dir, "audit.db"), func() { check(os.RemoveAll(dir)) }
}

// killed records three events, of which one is stored, and dies.
func killed(ctx context.Context, file string) {
	sink, _ := open(file)
	trail, err := audit.New(deadly{sink}, audit.Config{Name: "front-desk"})
	check(err)
	check(trail.Record(ctx, issued("dora")))
	check(trail.Flush(ctx))
	check(trail.Record(ctx, issued("emil")))
	check(trail.Record(ctx, issued("fred")))
	<-ctx.Done()
}

// deadly is a sink that kills its process instead of writing Emil's event.
type deadly struct{ audit.Sink }

func (d deadly) Write(ctx context.Context, events []audit.Event) error {
	if events[0].Actor.ID == "emil" {
		self, err := os.FindProcess(os.Getpid())
		check(err)
		check(self.Kill())
		<-ctx.Done()
	}
	return d.Sink.Write(ctx, events)
}

// open returns a sink, and what closes its database.
func open(file string) (*gormsink.Sink, func()) {
	db, err := gorm.Open(sqlite.Open(file+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)"), &gorm.Config{})
	check(err)
	pool, err := db.DB()
	check(err)
	return gormsink.New(db), func() { check(pool.Close()) }
}

func newTrail(sink *gormsink.Sink) *audit.Log {
	trail, err := audit.New(sink, audit.Config{Name: "front-desk"})
	check(err)
	return trail
}

func issued(guest string) audit.Event {
	return audit.Event{
		Type:     "room.key.issued",
		Outcome:  audit.Success,
		Actor:    audit.Entity{Type: "guest", ID: guest},
		Resource: audit.Entity{Type: "room", ID: "101"},
		Details:  audit.Fields(slog.Int("keys", 2)),
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
