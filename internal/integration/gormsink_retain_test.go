// SPDX-License-Identifier: MIT

package integration

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

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
