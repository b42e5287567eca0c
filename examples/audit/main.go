// SPDX-License-Identifier: MIT

// Events go into a queue, and from there in batches into a table: here of an
// SQLite file. The trail is read, a person erased, and what a killed process took
// along is found.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if len(os.Args) > 2 && os.Args[1] == "killed" {
		killed(ctx, os.Args[2])
	}
	file, remove := temporary()
	defer remove()
	sink, end := open(file)
	defer end()
	check(sink.Migrate(ctx))

	trail := newTrail(sink)
	check(trail.Record(ctx, issued("ana")))
	check(trail.Record(ctx, issued("ben")))
	// An event without a type is refused. The trail shows that it is missing.
	fmt.Println(trail.Record(ctx, audit.Event{Outcome: audit.Denied}))
	check(trail.Close(ctx)) // writes what is queued, within ctx; its error names the rest
	for e, err := range sink.Query(ctx, gormsink.Criteria{}) {
		check(err)
		fmt.Println(e.Seq, e.Type, e.Outcome, e.Resource.ID)
	}

	erased, err := sink.Erase(ctx, gormsink.Person{Type: "guest", ID: "ana"},
		gormsink.Erasure{By: audit.Entity{Type: "clerk", ID: "cleo"}, Reason: "request 7"})
	check(err)
	fmt.Println("erased from", erased.Events, "event")

	// Another process of this program is killed, and this one goes on.
	fmt.Println("the other process failed:", exec.Command(os.Args[0], "killed", file).Run() != nil)
	trail = newTrail(sink)
	check(trail.Record(ctx, issued("carla")))
	check(trail.Close(ctx))
	gaps, err := sink.Gaps(ctx)
	check(err)
	for _, g := range gaps {
		fmt.Println("missing in", g.Log, "from number", g.From, "on")
	}
}
