// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

// grants returns the statements of a page, such as audit.md.
func grants(t *testing.T, page string) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/" + page)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```sql\n")
	block, _, ok := strings.Cut(rest, ";\n```")
	if !ok {
		t.Fatal(page + " has no block of SQL")
	}
	return strings.Split(block, ";\n")
}

func TestTheGrantsInTheDocumentAreEnoughAndNotTooMuch(t *testing.T) {
	t.Parallel()
	pg, maria := startPostgres(t), startMariaDB(t)
	for _, c := range []struct {
		name   string
		owner  *gorm.DB
		create string
		as     func(role string) *gorm.DB
	}{
		{"postgres", pg.open(t), "CREATE ROLE %s LOGIN", func(role string) *gorm.DB {
			return openPostgres(t, strings.Replace(pg.URL(pg.Addr(), "postgres"), "postgres@", role+"@", 1))
		}},
		{"mariadb", maria.open(t, "rights", "utf8mb4"), "CREATE USER %s", func(role string) *gorm.DB {
			return openMySQL(t, strings.Replace(maria.dsn("rights"), "root@", role+"@", 1))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			migrated(t, c.owner)
			for _, role := range []string{"app", "auditor", "keeper"} {
				if err := c.owner.Exec(strings.Replace(c.create, "%s", role, 1)).Error; err != nil {
					t.Fatal(err)
				}
			}
			for _, grant := range grants(t, "audit.md") {
				if err := c.owner.Exec(grant).Error; err != nil {
					t.Fatalf("%s: %v", grant, err)
				}
			}
			e := audit.Event{ID: audit.NewID(), Type: "test", Actor: audit.Entity{ID: "ana"}}
			app := migrated(t, c.as("app"))
			for range 2 {
				if err := audit.Direct(app).Record(t.Context(), e); err != nil {
					t.Errorf("app: %v", err)
				}
			}
			for _, err := range app.Query(t.Context(), gormsink.Criteria{}) {
				if err == nil || !strings.Contains(err.Error(), "the role lacks a right; docs/audit.md lists the grants") {
					t.Errorf("app reads the trail: %v", err)
				}
			}
			for _, statement := range []string{"DELETE FROM lock_audit", "UPDATE lock_audit SET type = 'x'"} {
				if c.as("app").Exec(statement).Error == nil {
					t.Errorf("app may %s", statement)
				}
			}
			auditor := migrated(t, c.as("auditor"), gormsink.WithGrace(0))
			time.Sleep(2 * time.Millisecond) // the clock of the rows has microseconds
			if n := len(query(t, auditor, gormsink.Criteria{})) + len(tailed(t, auditor, new(gormsink.Cursor))); n != 2 {
				t.Errorf("auditor sees %d events, want the one by Query and by Tail", n)
			}
			wantGaps(t, auditor)
			if audit.Direct(auditor).Record(t.Context(), audit.Event{Type: "test"}) == nil {
				t.Error("auditor may write")
			}
			keeper := migrated(t, c.as("keeper"))
			if done := erase(t, keeper, gormsink.Person{ID: "ana"}); done.Events != 1 {
				t.Errorf("keeper erased %+v, want the event", done)
			}
			if n, err := keeper.Purge(t.Context(), gormsink.Expiry{Before: time.Now().Add(time.Hour)}); n != 2 || err != nil {
				t.Errorf("keeper purged %d, %v; want the event and the note", n, err)
			}
			if err := gormsink.New(c.as("app"), gormsink.WithTable("other")).Migrate(t.Context()); err == nil {
				t.Error("app may create tables")
			}
		})
	}
}

// Each filter is answered by an index of its own, or by that of time.
func TestQueriesAreAnsweredByIndexes(t *testing.T) {
	t.Parallel()
	db := startPostgres(t).open(t)
	s := filled(t, db, 20_000)
	if err := db.Exec("UPDATE lock_audit SET tenant = 'hotel-' || seq % 100; ANALYZE lock_audit").Error; err != nil {
		t.Fatal(err)
	}
	var statement string
	var args []any
	err := db.Callback().Row().Before("gorm:row").Register("seen", func(tx *gorm.DB) {
		statement, args = tx.Statement.SQL.String(), tx.Statement.Vars
	})
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2026, 1, 1, 5, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, index string
		criteria    gormsink.Criteria
	}{
		{"everything", "time", gormsink.Criteria{}},
		{"newest first", "time", gormsink.Criteria{Newest: true}},
		{"actor", "actor", gormsink.Criteria{ActorID: "guest-7", ActorType: "holder"}},
		{"resource", "resource", gormsink.Criteria{ResourceID: "room/7", ResourceType: "lock"}},
		{"tenant", "tenant", gormsink.Criteria{Tenant: "hotel-7"}},
		{"session and time", "time", gormsink.Criteria{Session: "s", From: from}},
		{"trace and time", "time", gormsink.Criteria{TraceID: "t", From: from}},
		{"type and time", "time", gormsink.Criteria{Types: []string{"lock.lost"}, From: from}},
		{"time of writing", "recorded", gormsink.Criteria{RecordedFrom: from, RecordedTo: from.Add(time.Minute)}},
	} {
		for range s.Query(t.Context(), c.criteria) {
			break
		}
		seen := statement
		for i := len(args); i > 0; i-- {
			seen = strings.ReplaceAll(seen, "$"+string(rune('0'+i)), "?")
		}
		var plan string
		if err := db.Raw("EXPLAIN (FORMAT JSON) "+seen, args...).Row().Scan(&plan); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if !json.Valid([]byte(plan)) || !strings.Contains(plan, `"lock_audit_`+c.index+`"`) || strings.Contains(plan, "Seq Scan") {
			t.Errorf("%s: want the index lock_audit_%s, got\n%s\n%s", c.name, c.index, seen, plan)
		}
	}
}
