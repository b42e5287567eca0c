// SPDX-License-Identifier: MIT

package audit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/holdfast-go/holdfast/audit"
)

// database is a sink that may be down.
type database struct {
	*audit.Memory
	down bool
}

func (d *database) Write(ctx context.Context, batch []audit.Event) error {
	if d.down {
		return errors.New("connection refused")
	}
	return d.Memory.Write(ctx, batch)
}

// What a process has accepted, the next one writes.
func ExampleSpool() {
	dir, err := os.MkdirTemp("", "spool")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	defer log.SetOutput(log.Writer())
	log.SetOutput(io.Discard) // where slog reports that the database is down
	db := &database{Memory: audit.NewMemory(), down: true}
	for _, patience := range []time.Duration{100 * time.Millisecond, 10 * time.Second} {
		trail, err := audit.New(db, audit.Config{
			Spool: audit.Spool{Dir: dir}, // such as /var/lib/bot/spool
		})
		if err != nil {
			log.Fatal(err)
		}
		err = trail.Record(context.Background(), audit.Event{Type: "room.key.issued"})
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		fmt.Println("recorded:", err, "closed:", trail.Close(ctx) != nil)
		cancel()
		db.down = false
	}
	fmt.Println("stored:", len(db.Events()))
	// Output:
	// recorded: <nil> closed: true
	// recorded: <nil> closed: false
	// stored: 2
}
