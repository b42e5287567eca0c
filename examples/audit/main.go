// SPDX-License-Identifier: MIT

// Events go into a queue, and from there in batches to the sinks: here memory and
// a log.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/holdfast-go/holdfast/audit"
)

func main() {
	ctx := context.Background()
	memory := audit.NewMemory()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	trail, err := audit.New(audit.Multi(memory, audit.NewSlog(log)), audit.Config{Name: "front-desk"})
	if err != nil {
		panic(err)
	}

	for _, guest := range []string{"ana", "ben"} {
		err := trail.Record(ctx, audit.Event{
			Type:     "room.key.issued",
			Outcome:  audit.Success,
			Actor:    audit.Entity{Type: "guest", ID: guest},
			Resource: audit.Entity{Type: "room", ID: "101"},
			Details:  audit.Fields(slog.Int("keys", 2)),
		})
		if err != nil {
			panic(err)
		}
	}
	// An event without a type is refused. The trail shows that it is missing.
	fmt.Println(trail.Record(ctx, audit.Event{Outcome: audit.Denied}))

	// Close writes what is queued, within its deadline. Its error names the events
	// that were not stored.
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := trail.Close(ctx); err != nil {
		panic(err)
	}
	for _, e := range memory.Events() {
		fmt.Println(e.Outcome, e.Type, e.Resource.ID)
	}
}
