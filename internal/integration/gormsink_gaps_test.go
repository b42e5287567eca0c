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

func wantGaps(t *testing.T, s *gormsink.Sink, want ...string) {
	t.Helper()
	list, err := s.Gaps(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range list {
		got = append(got, fmt.Sprintf("%s/%s %d-%d: %d", g.Instance, g.Log, g.From, g.To, g.Missing))
	}
	if !slices.Equal(got, want) {
		t.Errorf("gaps %q, want %q", got, want)
	}
}

// drop deletes the events with these reasons.
func drop(t *testing.T, db *gorm.DB, reasons ...string) {
	t.Helper()
	if err := db.Exec("DELETE FROM lock_audit WHERE reason IN ?", reasons).Error; err != nil {
		t.Fatal(err)
	}
}

// recorded has n events in a log that was opened and closed; their numbers are
// their reasons.
func recorded(t *testing.T, s audit.Sink, cfg audit.Config, n int, change func(i int, e *audit.Event)) {
	t.Helper()
	log, err := audit.New(s, cfg)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		e := audit.Event{Type: "test", Reason: fmt.Sprint(i + 2), Time: noon.Add(time.Duration(i) * time.Minute)}
		if change != nil {
			change(i, &e)
		}
		_ = log.Record(t.Context(), e)
	}
	_ = log.Close(t.Context())
}

func gaps(t *testing.T, db *gorm.DB) {
	s := migrated(t, db)
	wantGaps(t, s)
	recorded(t, s, audit.Config{Name: "trail", Instance: "a"}, 20, nil)
	recorded(t, s, audit.Config{Name: "whole", Instance: "a"}, 20, nil)
	wantGaps(t, s)
	drop(t, db, "2", "7", "8", "21")
	wantGaps(t, s, "a/trail 2-2: 1", "a/trail 7-8: 2", "a/trail 21-21: 1", "a/whole 2-2: 1", "a/whole 7-8: 2", "a/whole 21-21: 1")
	if err := db.Exec("DELETE FROM lock_audit WHERE type = ? AND resource_id = 'whole'", audit.TypeOpened).Error; err != nil {
		t.Fatal(err)
	}
	drop(t, db, "3")
	wantGaps(t, s, "a/trail 2-3: 2", "a/trail 7-8: 2", "a/trail 21-21: 1", "/ 1-3: 3", "/ 7-8: 2", "/ 21-21: 1")
}

func gapsExplained(t *testing.T, db *gorm.DB) {
	s := migrated(t, db)
	recorded(t, s, audit.Config{Name: "dropped", Queue: 3, WhenFull: audit.DropOldest, Linger: time.Hour}, 10, nil)
	recorded(t, audit.Filter(s, func(e audit.Event) bool { return e.Reason != "5" && e.Reason != "9" }), audit.Config{Name: "filtered"}, 10, nil)
	refusing := sinkFunc(func(batch []audit.Event) error {
		if slices.ContainsFunc(batch, func(e audit.Event) bool { return e.Reason == "6" }) {
			return fmt.Errorf("%w: 6", audit.ErrPermanent)
		}
		return s.Write(t.Context(), batch)
	})
	recorded(t, refusing, audit.Config{Name: "refused"}, 10, nil)
	recorded(t, s, audit.Config{Name: "old"}, 10, func(i int, e *audit.Event) {
		e.Type = []string{"test", "seen"}[i%2]
		e.Reason = "old " + e.Reason
	})
	wantGaps(t, s)
	for _, e := range []gormsink.Expiry{
		{Before: noon.Add(30 * time.Minute), Type: "seen"},
		{Before: noon.Add(4 * time.Minute)}, {Before: noon.Add(7 * time.Minute)},
	} {
		if _, err := s.Purge(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	wantGaps(t, s)
}

// gapsAmong has an event missing among others for which there is a reason.
func gapsAmong(t *testing.T, db *gorm.DB) {
	s := migrated(t, db)
	recorded(t, s, audit.Config{Name: "trail", Instance: "a"}, 10, func(i int, e *audit.Event) { e.Type = []string{"test", "seen"}[i%2] })
	if _, err := s.Purge(t.Context(), gormsink.Expiry{Before: noon.Add(time.Hour), Type: "seen"}); err != nil {
		t.Fatal(err)
	}
	wantGaps(t, s)
	drop(t, db, "8")
	wantGaps(t, s, "a/trail 3-11: 1")
}

type sinkFunc func([]audit.Event) error

func (f sinkFunc) Write(_ context.Context, batch []audit.Event) error { return f(batch) }

func gapsCut(t *testing.T, db *gorm.DB) {
	s := migrated(t, db)
	recorded(t, s, audit.Config{Name: "trail", Instance: "a"}, 3, nil)
	killed := func(instance string) {
		recorded(t, s, audit.Config{Name: "trail", Instance: instance}, 3, nil)
		err := db.Exec("DELETE FROM lock_audit WHERE type = ? AND actor_id = ?", audit.TypeClosed, instance).Error
		if err != nil {
			t.Fatal(err)
		}
	}
	killed("b")
	wantGaps(t, s) // it may still be running
	recorded(t, s, audit.Config{Name: "other", Instance: "b"}, 3, nil)
	wantGaps(t, s)
	recorded(t, s, audit.Config{Name: "trail", Instance: "b"}, 3, nil)
	wantGaps(t, s, "b/trail 5-0: 0")
	if _, err := s.Purge(t.Context(), gormsink.Expiry{Before: noon.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	wantGaps(t, s) // how it ended was purged
}

// tailed reads what is new.
func tailed(t *testing.T, s *gormsink.Sink, c *gormsink.Cursor) (reasons []string) {
	t.Helper()
	for e, err := range s.Tail(t.Context(), c) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Type == "test" {
			reasons = append(reasons, e.Reason)
		}
	}
	stored, err := json.Marshal(c) // as a reader does between its runs
	if err != nil {
		t.Fatal(err)
	}
	*c = gormsink.Cursor{}
	if err := json.Unmarshal(stored, c); err != nil {
		t.Fatal(err)
	}
	return reasons
}

func tail(t *testing.T, db *gorm.DB) {
	s := migrated(t, db, gormsink.WithGrace(0))
	var c gormsink.Cursor
	if got := tailed(t, s, &c); len(got) > 0 {
		t.Errorf("an empty trail has %v", got)
	}
	all := batch(t, 3700)
	number(all[:1200], audit.NewID(), 1)
	number(all[1200:1800], audit.NewID(), 1)
	for i := 2500; i < len(all); i++ { // more streams than a statement may recurse
		number(all[i:i+1], audit.NewID(), 1)
	}
	seen := map[string]int{}
	look := func() {
		for _, reason := range tailed(t, s, &c) {
			seen[reason]++
		}
	}
	for _, part := range [][]audit.Event{all[:3], all[1200:1700], all[3:1200], all[1800:2400], all[2400:], all[1700:1800]} {
		store(t, s, part)
		look()
	}
	time.Sleep(2 * time.Millisecond) // the clock of the rows without a number has microseconds
	look()
	for _, e := range all {
		if seen[e.Reason] != 1 {
			t.Fatalf("event %s was yielded %d times; %d of %d were", e.Reason, seen[e.Reason], len(seen), len(all))
		}
	}
	for range s.Tail(t.Context(), &gormsink.Cursor{}) {
		break // must not hold anything
	}
	n := 0
	var half gormsink.Cursor
	for range s.Tail(t.Context(), &half) {
		if n++; n == 1300 {
			break
		}
	}
	if rest := tailed(t, s, &half); len(rest) != len(all)-1300 {
		t.Errorf("%d events after the 1300th, want %d", len(rest), len(all)-1300)
	}
	if _, err := s.Purge(t.Context(), gormsink.Expiry{Before: noon.Add(time.Hour), Type: "test"}); err != nil {
		t.Fatal(err)
	}
	if got := tailed(t, s, &c); len(got) > 0 || len(c.Streams) > 0 {
		t.Errorf("after a purge %v are new, and the cursor is %v", got, c)
	}
}

func tailWaits(t *testing.T, db *gorm.DB) {
	s := migrated(t, db, gormsink.WithGrace(time.Hour))
	all := batch(t, 5)
	number(all[:4], audit.NewID(), 1)
	var c gormsink.Cursor
	store(t, s, append(slices.Clone(all[:1]), all[2:]...))
	if got := tailed(t, s, &c); !slices.Equal(got, []string{"0"}) {
		t.Errorf("yielded %v, want the one before the number that is missing", got)
	}
	store(t, s, all[1:2])
	if got := tailed(t, s, &c); !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Errorf("yielded %v, want all with numbers", got)
	}
	late := gormsink.New(db, gormsink.WithGrace(0))
	time.Sleep(2 * time.Millisecond) // see above
	if got := tailed(t, late, &c); !slices.Equal(got, []string{"4"}) {
		t.Errorf("yielded %v, want the one without a number after the grace", got)
	}
	if err := db.Exec("UPDATE lock_audit SET outcome = 'canary' WHERE reason = '2'").Error; err != nil {
		t.Fatal(err)
	}
	bad := 0
	for _, err := range late.Tail(t.Context(), &gormsink.Cursor{}) {
		if _, ok := errors.AsType[*gormsink.RowError](err); ok {
			bad++
		}
	}
	if bad != 1 {
		t.Errorf("%d unreadable rows, want the one", bad)
	}
}
