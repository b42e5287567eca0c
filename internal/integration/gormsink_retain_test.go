// SPDX-License-Identifier: MIT

package integration

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"slices"
	"testing"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

// eraseNamed has ids that are easy to get wrong in JSON, SQL or a pattern.
func eraseNamed(t *testing.T, db *gorm.DB) {
	s := migrated(t, db)
	for _, id := range []string{"ana", `an"a\b`, "50%_'?", "josé <& sons>", "tab\tand 🏨"} {
		named := audit.Event{Type: "lock.conflict", Actor: audit.Entity{ID: "ben"}, Session: "ben's", Details: audit.Fields(
			slog.Group("conflicts", slog.Group("0", slog.String("holder", id), slog.Int("left", 3))), slog.String("z", id+"!"))}
		marshalled := named
		marshalled.Details = audit.JSON(map[string]any{"held_by": []any{id, 1e3}})
		all := record(t, s, named, marshalled, audit.Event{Type: "other", Actor: audit.Entity{ID: "cy"}, Details: audit.Fields(slog.String("note", "about "+id))})
		if n, err := s.Erase(t.Context(), id); n != 2 || err != nil {
			t.Fatalf("erased %q in %d events, %v; want 2", id, n, err)
		}
		all[0].Details = audit.Fields(slog.Group("conflicts", slog.Group("0", slog.String("holder", "erased"), slog.Int("left", 3))), slog.String("z", id+"!"))
		all[1].Details = audit.JSON(map[string]any{"held_by": []any{"erased", 1e3}})
		got := slices.DeleteFunc(query(t, s, gormsink.Criteria{}), func(e audit.Event) bool {
			return !slices.ContainsFunc(all, func(own audit.Event) bool { return own.ID == e.ID })
		})
		if !slices.Equal(got, all) {
			t.Errorf("%q: the trail is %v, want %v", id, got, all)
		}
	}
}

func export(t *testing.T, db *gorm.DB) {
	s := migrated(t, db)
	all := batch(t, 777)
	if err := s.Write(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if n, err := s.Export(t.Context(), &out, gormsink.Criteria{}); n != 777 || err != nil {
		t.Errorf("exported %d, %v", n, err)
	}
	var got []audit.Event
	for line := range bytes.Lines(out.Bytes()) {
		var e audit.Event
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
	}
	if !slices.Equal(got, all) {
		t.Errorf("%d events read back, want the same %d", len(got), len(all))
	}
}

// nextVersion has an artificial next version, which adds a column and an index as
// the migrations may. A process of this version goes on with that table.
func nextVersion(t *testing.T, db *gorm.DB) {
	s, e := migrated(t, db), batch(t, 3)
	if err := s.Write(t.Context(), e[:1]); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"ALTER TABLE lock_audit ADD COLUMN region text",
		"CREATE INDEX lock_audit_region ON lock_audit (region)",
		"INSERT INTO lock_audit_schema (version, applied_at) SELECT MAX(version) + 1, 0 FROM lock_audit_schema",
	} {
		if err := db.Exec(statement).Error; err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Write(t.Context(), e[1:2]); err != nil {
		t.Fatal(err)
	}
	if err := db.Exec("UPDATE lock_audit SET region = 'north' WHERE id = ?", e[1].ID.String()).Error; err != nil {
		t.Fatal(err)
	}
	later := migrated(t, db) // a process of this version that starts now
	if err := later.Write(t.Context(), e[2:]); err != nil {
		t.Fatal(err)
	}
	if got := query(t, later, gormsink.Criteria{}); !slices.Equal(got, e) {
		t.Errorf("the trail is %v, want %v", got, e)
	}
}
