// SPDX-License-Identifier: MIT

package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

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

// strays has rows of another program that no log writes: with numbers below 1, and
// with an id that is none, where the column takes one.
func strays(t *testing.T, db *gorm.DB) {
	s := migrated(t, db, gormsink.WithGrace(0))
	recorded(t, s, audit.Config{Name: "trail", Instance: "a"}, 3, nil)
	stream := query(t, s, gormsink.Criteria{Types: []string{audit.TypeOpened}})[0].Stream.String()
	all := batch(t, 5)
	all[4].Actor.ID = "ana"
	store(t, s, all)
	change := func(e audit.Event, column string, value any) {
		t.Helper()
		if err := db.Exec("UPDATE lock_audit SET "+column+" = ? WHERE id = ?", value, e.ID.String()).Error; err != nil {
			t.Fatal(err)
		}
	}
	change(all[2], "stream", stream)
	change(all[2], "seq", -7)
	change(all[3], "seq", 0)
	readable := 5 + 3 // from the opening to the end of the log, and the others
	if db.Name() != "postgres" {
		change(all[4], "id", "none of ours")
		readable--
	}
	wantGaps(t, s)
	time.Sleep(2 * time.Millisecond) // Tail yields what is older than the grace
	var c gormsink.Cursor
	for _, want := range []int{readable, 0} {
		good := 0
		for _, err := range s.Tail(t.Context(), &c) {
			if _, stray := errors.AsType[*gormsink.RowError](err); err == nil {
				good++
			} else if !stray {
				t.Fatal(err)
			}
		}
		if good != want {
			t.Errorf("Tail yields %d rows that can be read, want %d", good, want)
		}
	}
	if done := erase(t, s, gormsink.Person{ID: "ana"}); done.Events != 1 || done.Possible != 0 {
		t.Errorf("%+v, want the event of the actor", done)
	}
	var left int64
	if err := db.Raw("SELECT COUNT(*) FROM lock_audit WHERE actor_id = 'ana'").Scan(&left).Error; err != nil || left > 0 {
		t.Errorf("%d rows have the actor, %v", left, err)
	}
	if n, err := s.Purge(t.Context(), gormsink.Expiry{Before: noon.AddDate(1000, 0, 0)}); n != 4+5+1 || err != nil { // without the opening, with the note of Erase
		t.Errorf("purged %d, %v", n, err)
	}
	wantGaps(t, s)
}
