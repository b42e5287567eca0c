// SPDX-License-Identifier: MIT

package auditbench

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast-go/holdfast/audit"
)

var event = audit.Event{
	Type: "lock.acquired", Outcome: audit.Success, Reason: "booking",
	Actor:    audit.Entity{Type: "holder", ID: "guest-4711"},
	Resource: audit.Entity{Type: "lock", ID: "room/101", Name: "room/101 [2026-12-12, 2026-12-15)"},
	Details: audit.Fields(slog.String("check_in", "2026-12-12"), slog.String("check_out", "2026-12-15"), slog.Int("nights", 3),
		slog.String("lease", "01890a5d-ac96-774b-bcce-b302099a8057"), slog.Uint64("fence", 4711), slog.Duration("ttl", 30*time.Second)),
}

// nowhere takes everything at once.
type nowhere struct{}

func (nowhere) Write(context.Context, []audit.Event) error { return nil }

func record() func(int) {
	log, err := audit.New(nowhere{}, audit.Config{})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	return func(n int) {
		for range n {
			if err := log.Record(ctx, event); err != nil {
				panic(err)
			}
		}
	}
}

// floor is what a queue of events cannot do without: it copies the texts, so
// that nothing keeps the caller's memory alive, makes an id, reads the clock,
// and appends under a lock. Every batch is forgotten at once.
func floor() func(int) {
	var mu sync.Mutex
	queue := make([]audit.Event, 0, 512)
	return func(n int) {
		for range n {
			e := event
			for _, s := range []*string{&e.Type, &e.Reason, &e.Actor.Type, &e.Actor.ID, &e.Resource.Type, &e.Resource.ID, &e.Resource.Name} {
				*s = strings.Clone(*s)
			}
			e.ID, e.Time = audit.ID(uuid.Must(uuid.NewV7())), time.Now().UTC()
			mu.Lock()
			if len(queue) == cap(queue) {
				clear(queue)
				queue = queue[:0]
			}
			queue = append(queue, e)
			mu.Unlock()
		}
	}
}
