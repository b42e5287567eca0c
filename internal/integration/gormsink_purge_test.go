// SPDX-License-Identifier: MIT

package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

// number gives events the numbers of a stream, from first on.
func number(events []audit.Event, stream audit.ID, first uint64) {
	for i := range events {
		events[i].Stream, events[i].Seq = stream, first+uint64(i)
	}
}

func store(t *testing.T, s *gormsink.Sink, events []audit.Event) {
	t.Helper()
	if err := s.Write(t.Context(), events); err != nil {
		t.Fatal(err)
	}
}

// detail returns a number in details.
func detail(t *testing.T, e audit.Event, key string) int {
	t.Helper()
	v, _ := e.Details.Get(key)
	n, ok := v.(json.Number)
	i, err := n.Int64()
	if !ok || err != nil {
		t.Fatalf("%s of %s is %v", key, e.Details, v)
	}
	return int(i)
}

func purge(t *testing.T, db *gorm.DB) {
	s := migrated(t, db)
	all := batch(t, 5000) // three pages
	one, two := audit.NewID(), audit.NewID()
	number(all[:2500], one, 1)
	number(all[2500:4500], two, 1)
	store(t, s, all)
	before := all[4599].Time // the first of its time
	n, err := s.Purge(t.Context(), gormsink.Expiry{Before: before})
	if err != nil || n != 4599 {
		t.Errorf("purged %d, %v; want 4599", n, err)
	}
	if got := query(t, s, gormsink.Criteria{Types: []string{"test"}}); !slices.Equal(got, all[4599:]) {
		t.Errorf("%d events are left, want the newest %d", len(got), len(all)-4599)
	}
	events := 0
	ranges := map[audit.ID][]string{}
	for _, note := range query(t, s, gormsink.Criteria{Types: []string{gormsink.TypePurged}}) {
		events += detail(t, note, "events")
		if !note.Stream.IsZero() {
			ranges[note.Stream] = append(ranges[note.Stream], fmt.Sprint(detail(t, note, "n"), ":", detail(t, note, "from"), "-", detail(t, note, "to")))
		}
	}
	if events != 4599 || !slices.Equal(ranges[one], []string{"2000:1-2000", "500:2001-2500"}) || !slices.Equal(ranges[two], []string{"1500:1-1500", "500:1501-2000"}) {
		t.Errorf("the notes are about %d events, %v", events, ranges)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := s.Purge(ctx, gormsink.Expiry{Before: noon.Add(time.Hour)}); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("purge under a cancelled context: %d, %v", n, err)
	}
}

func purgeSome(t *testing.T, db *gorm.DB) {
	s := migrated(t, db)
	var all []audit.Event
	for _, tenant := range []string{"a", "A", "a "} {
		for _, kind := range []string{"seen", "kept"} {
			all = append(all, audit.Event{Type: kind, Tenant: tenant})
		}
	}
	all = record(t, s, all...)
	n, err := s.Purge(t.Context(), gormsink.Expiry{Before: noon.Add(time.Hour), Type: "seen", Tenant: "a"})
	if n != 1 || err != nil {
		t.Errorf("purged %d, %v; want the one", n, err)
	}
	if got := query(t, s, gormsink.Criteria{Types: []string{"seen", "kept"}}); !slices.Equal(got, all[1:]) {
		t.Errorf("left are %v", got)
	}
	note := query(t, s, gormsink.Criteria{Types: []string{gormsink.TypePurged}})
	if len(note) != 1 || note[0].Tenant != "a" || detail(t, note[0], "events") != 1 {
		t.Fatalf("the notes are %v", note)
	}
	for key, want := range map[string]any{"type": "seen", "tenant": "a", "before": "2026-12-11T13:00:00Z"} {
		if got, _ := note[0].Details.Get(key); got != want {
			t.Errorf("%s of the note is %v, want %v", key, got, want)
		}
	}
}
