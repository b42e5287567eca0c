// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"
	"gorm.io/plugin/dbresolver"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

// everything uses each method of a sink.
func everything(t *testing.T, db *gorm.DB, opts ...gormsink.Option) {
	t.Helper()
	s := migrated(t, db, append(opts, gormsink.WithGrace(0))...)
	all := batch(t, 300)
	number(all[:200], audit.NewID(), 1)
	all[7].Actor.ID, all[8].Details = "ana", parsed(t, `{"held_by":"ana"}`)
	store(t, s, all)
	store(t, s, all[100:200])
	time.Sleep(2 * time.Millisecond) // the clock of the rows without a number has microseconds
	if n := len(tailed(t, s, new(gormsink.Cursor))); n != 300 {
		t.Errorf("Tail yields %d events, want 300", n)
	}
	if done := erase(t, s, gormsink.Person{ID: "ana", Keys: []string{"held_by"}}); done.Events != 2 {
		t.Errorf("erased %+v, want 2 events", done)
	}
	if n, err := s.Purge(t.Context(), gormsink.Expiry{Before: all[70].Time}); n != 71 || err != nil {
		t.Errorf("purged %d, %v; want 70 and the note of the erasure, which is older", n, err)
	}
	if list, err := s.Gaps(t.Context()); len(list) > 0 || err != nil {
		t.Errorf("gaps %v, %v", list, err)
	}
	err := db.Transaction(func(tx *gorm.DB) error { return s.In(tx, nil).Record(t.Context(), audit.Event{Type: "in"}) })
	if err != nil {
		t.Error(err)
	}
	got := query(t, s, gormsink.Criteria{Types: []string{"test", "in"}})
	if len(got) != 231 || got[1] != all[70] {
		t.Errorf("%d events are left, want 230 and that of the transaction", len(got))
	}
	twice := all[100]
	twice.ID = audit.NewID()
	if err := s.Write(t.Context(), []audit.Event{twice}); !errors.Is(err, audit.ErrPermanent) {
		t.Errorf("another event of the same number: %v, want ErrPermanent", err)
	}
}

// The settings of GORM are the caller's, and the statements are ours.
func TestGormsinkWorksUnderAnySettingsOfGORM(t *testing.T) {
	t.Parallel()
	pg, maria := startPostgres(t), startMariaDB(t)
	var n atomic.Int64
	if err := openMySQL(t, maria.dsn("")).Exec("CREATE DATABASE audit").Error; err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]gorm.Config{
		"TranslateError":           {TranslateError: true},
		"PrepareStmt":              {PrepareStmt: true},
		"SkipDefaultTransaction":   {SkipDefaultTransaction: true},
		"NamingStrategy":           {NamingStrategy: schema.NamingStrategy{TablePrefix: "app_", SingularTable: true, NoLowerCase: true}},
		"DisableNestedTransaction": {DisableNestedTransaction: true},
		"QueryFields":              {QueryFields: true, PropagateUnscoped: true},
	} {
		for database, dialector := range map[string]gorm.Dialector{
			"postgres": postgres.Open(pg.URL(pg.Addr(), "postgres")),
			"mariadb":  mysql.Open(maria.dsn("audit")),
		} {
			t.Run(name+" "+database, func(t *testing.T) {
				cfg.Logger = logger.Discard
				db, err := gorm.Open(dialector, &cfg)
				if err != nil {
					t.Fatal(err)
				}
				closeDB(t, db)
				everything(t, db, gormsink.WithTable(fmt.Sprintf("trail_%d", n.Add(1))))
			})
		}
	}
	t.Run("a schema", func(t *testing.T) {
		db := pg.open(t)
		everything(t, db, gormsink.WithTable("public.events"))
		if err := gormsink.New(db, gormsink.WithTable("audit.events")).Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "no such schema") {
			t.Errorf("%v, want what is missing", err)
		}
		if err := db.Exec("CREATE SCHEMA audit").Error; err != nil {
			t.Fatal(err)
		}
		everything(t, db, gormsink.WithTable("audit.events"))
		everything(t, openMySQL(t, maria.dsn("")), gormsink.WithTable("audit.events"))
	})
	t.Run("a replica that is late", func(t *testing.T) {
		for _, name := range []string{"late", "main_db"} {
			if err := pg.open(t).Exec("CREATE DATABASE " + name).Error; err != nil {
				t.Fatal(err)
			}
		}
		replica, db := pg.openNamed(t, "late"), pg.openNamed(t, "main_db")
		migrated(t, replica)
		s := migrated(t, db)
		if err := db.Use(dbresolver.Register(dbresolver.Config{Replicas: []gorm.Dialector{postgres.New(postgres.Config{Conn: pool(t, replica)})}})); err != nil {
			t.Fatal(err)
		}
		all := batch(t, 5)
		number(all, audit.NewID(), 1)
		all[1].Actor.ID = "ana"
		store(t, s, slices.Concat(all[:2], all[3:]))
		if n := len(query(t, s, gormsink.Criteria{})); n != 0 {
			t.Errorf("the replica has %d events: the test tests nothing", n)
		}
		if done := erase(t, s, gormsink.Person{ID: "ana"}); done.Events != 1 {
			t.Errorf("erased %+v, want the event that the replica does not have yet", done)
		}
		wantGaps(t, s, "/ 3-3: 1")
		if n := len(tailed(t, gormsink.New(db, gormsink.WithGrace(0)), new(gormsink.Cursor))); n != 4 {
			t.Errorf("Tail yields %d events, want those that the replica does not have yet", n)
		}
	})
}

func TestMigrateOverWhatIsThere(t *testing.T) {
	t.Parallel()
	pg, maria := startPostgres(t), startMariaDB(t)
	for name, db := range map[string]*gorm.DB{
		"postgres": pg.open(t), "mariadb": maria.open(t, "there", "latin1"), "sqlite": openSQLite(t, sqliteFile(t)),
	} {
		if err := db.Exec("CREATE TABLE lock_audit (id integer PRIMARY KEY, who varchar(10))").Error; err != nil {
			t.Fatal(err)
		}
		err := gormsink.New(db).Migrate(t.Context())
		if err == nil || name != "sqlite" && !strings.Contains(err.Error(), "a table of that name exists and is no audit trail") {
			t.Errorf("%s: %v, want that another program's table is there", name, err)
		}
		if err := audit.Direct(gormsink.New(db, gormsink.WithTable("absent"))).Record(t.Context(), audit.Event{Type: "test"}); err == nil || !strings.Contains(err.Error(), "has Migrate run?") {
			t.Errorf("%s: %v, want that the table is missing", name, err)
		}
	}
}

// A name with other capitals, accents or spaces is another one.
func TestACollationMakesNoTwoNamesEqual(t *testing.T) {
	t.Parallel()
	maria := startMariaDB(t)
	s := migrated(t, maria.open(t, "collation", "latin1"))
	var all []audit.Event
	for _, who := range []string{"ana", "ANA", "ana ", "aná", "🏨"} {
		all = append(all, audit.Event{Type: "test", Actor: audit.Entity{ID: who, Name: who}, Resource: audit.Entity{ID: who}, Tenant: who})
	}
	all = record(t, s, all...)
	for i, e := range all {
		for _, c := range []gormsink.Criteria{{ActorID: e.Actor.ID}, {ResourceID: e.Resource.ID}, {Tenant: e.Tenant}} {
			if got := query(t, s, c); !slices.Equal(got, all[i:i+1]) {
				t.Errorf("%+v finds %v", c, got)
			}
		}
	}
}
