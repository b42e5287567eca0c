// SPDX-License-Identifier: MIT

// Events go into a queue, and from there in batches into a table: here of an
// SQLite file. The trail is read, a person erased, and what a killed process took
// along is found.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/glebarez/sqlite"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if len(os.Args) > 2 && os.Args[1] == "killed" {
		killed(ctx, os.Args[2])
	}
	dir, err := os.MkdirTemp("", "audit")
	check(err)
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "audit.db")

	sink, end := open(file)
	defer end()
	check(sink.Migrate(ctx))
	trail := newTrail(sink)
	for _, guest := range []string{"ana", "ben"} {
		check(trail.Record(ctx, issued(guest)))
	}
	// An event without a type is refused. The trail shows that it is missing.
	fmt.Println(trail.Record(ctx, audit.Event{Outcome: audit.Denied}))
	// Close writes what is queued, within ctx. Its error names the events that were
	// not stored.
	check(trail.Close(ctx))
	show(ctx, sink)

	// Ana wants to be forgotten.
	erased, err := sink.Erase(ctx, gormsink.Person{Type: "guest", ID: "ana"},
		gormsink.Erasure{By: audit.Entity{Type: "clerk", ID: "cleo"}, Reason: "request 7"})
	check(err)
	fmt.Println("erased from", erased.Events, "event")

	// Another process of this program is killed, and this one goes on.
	child := exec.Command(os.Args[0], "killed", file)
	child.Stderr = os.Stderr
	fmt.Println("the other process:", child.Run() != nil)
	trail = newTrail(sink)
	check(trail.Record(ctx, issued("carla")))
	check(trail.Close(ctx))
	gaps, err := sink.Gaps(ctx)
	check(err)
	for _, g := range gaps {
		fmt.Println("missing in", g.Log, "from number", g.From, "on")
	}
}

// killed records three events, of which one is stored, and dies.
func killed(ctx context.Context, file string) {
	sink, _ := open(file)
	trail, err := audit.New(sink, audit.Config{Name: "front-desk", Linger: time.Minute}) // so that it dies in time
	check(err)
	check(trail.Record(ctx, issued("dora")))
	check(trail.Flush(ctx))
	check(trail.Record(ctx, issued("emil")))
	check(trail.Record(ctx, issued("fred")))
	self, err := os.FindProcess(os.Getpid())
	check(err)
	check(self.Kill())
	<-ctx.Done()
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

func show(ctx context.Context, sink *gormsink.Sink) {
	for e, err := range sink.Query(ctx, gormsink.Criteria{}) {
		check(err)
		fmt.Println(e.Seq, e.Type, e.Outcome, e.Resource.ID)
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
