// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
	"github.com/holdfast-go/holdfast/audit/seal"
	"github.com/holdfast-go/holdfast/internal/test/postgrestest"
)

func TestSealOnPostgresKeepsItsPromises(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	sealed(t, func(t testing.TB) *gorm.DB { return server.open(t) })
}

func TestSealOnMariaDBKeepsItsPromises(t *testing.T) {
	t.Parallel()
	server := startMariaDB(t)
	var n atomic.Int64
	sealed(t, func(t testing.TB) *gorm.DB { return server.open(t, fmt.Sprintf("sealed_%d", n.Add(1)), "utf8mb4") })
}

// Without statistics, PostgreSQL would read all seals for a join with the newest events.
func TestTheNextSealReadsFewOfTheLast(t *testing.T) {
	server := &postgresServer{postgrestest.Start(t, "-c", "fsync=off", "-c", "autovacuum=off")}
	db := server.open(t)
	sink, process := sealing(t, db)
	trail := process()
	if err := trail.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		batch := make([]audit.Event, 500)
		for i := range batch {
			batch[i] = audit.Event{ID: audit.NewID(), Time: time.Now(), Type: "lock.acquired", Outcome: audit.Success}
		}
		if err := sink.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		if _, err := trail.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var scans struct{ Whole, Index int }
	for scans.Index+scans.Whole == 0 { // counted when the server has time, both at once
		if err := db.Raw("SELECT seq_tup_read AS whole, idx_scan AS index FROM pg_stat_user_tables WHERE relname LIKE '%_seal'").Scan(&scans).Error; err != nil {
			t.Fatal(err)
		}
	}
	if scans.Whole > 0 {
		t.Errorf("%d seals have been read that are not of the newest events", scans.Whole)
	}
}

// The full run has as many rows as the promise names.
func TestVerifyTakesTheMemoryOfAPageHoweverManyEvents(t *testing.T) {
	n := 20_000
	if os.Getenv("HOLDFAST_LONG") != "" {
		n = 10_000_000
	}
	db := startPostgres(t).open(t)
	sink := filled(t, db, n)
	_, process := sealing(t, db)
	trail := process()
	if err := trail.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if done, err := trail.Seal(t.Context()); done != n || err != nil {
		t.Fatalf("%d sealed, %v", done, err)
	}
	t.Logf("%d rows on %d processors: sealed in %s", n, runtime.NumCPU(), time.Since(begun).Round(time.Millisecond))
	var most atomic.Uint64
	done := make(chan seal.Report)
	begun = time.Now()
	go func() {
		report, err := trail.Verify(t.Context())
		if err != nil {
			t.Error(err)
		}
		done <- report
	}()
	for report := (seal.Report{}); report.Size == 0; {
		select {
		case report = <-done:
			if report.Intact != int64(n) || report.Findings() != 0 {
				t.Error(report)
			}
		case <-time.After(100 * time.Millisecond): // a sample
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most.Store(max(most.Load(), m.HeapInuse))
		}
	}
	took := time.Since(begun)
	if most.Load() > 256<<20 {
		t.Errorf("%d MB of memory", most.Load()>>20)
	}
	begun = time.Now()
	for _, err := range sink.Query(t.Context(), gormsink.Criteria{}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("verified in %s with at most %d MB, %.0f rows/s; Query alone takes %s", took.Round(time.Millisecond), most.Load()>>20, float64(n)/took.Seconds(), time.Since(begun).Round(time.Millisecond))
}

func TestTheGrantsForTheSealAreEnoughAndNotTooMuch(t *testing.T) {
	t.Parallel()
	pg, maria := startPostgres(t), startMariaDB(t)
	for name, c := range map[string]struct {
		owner  *gorm.DB
		create string
		as     func(role string) *gorm.DB
	}{
		"postgres": {pg.open(t), "CREATE ROLE %s LOGIN", func(role string) *gorm.DB {
			return openPostgres(t, strings.Replace(pg.URL(pg.Addr(), "postgres"), "postgres@", role+"@", 1))
		}},
		"mariadb": {maria.open(t, "sealed", "utf8mb4"), "CREATE USER %s", func(role string) *gorm.DB {
			return openMySQL(t, strings.Replace(maria.dsn("sealed"), "root@", role+"@", 1))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			sink, process := sealing(t, c.owner)
			if err := process().Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, role := range []string{"app", "auditor", "keeper", "sealer"} {
				if err := c.owner.Exec(fmt.Sprintf(c.create, role)).Error; err != nil {
					t.Fatal(err)
				}
			}
			for _, grant := range append(grants(t, "audit.md"), grants(t, "seal.md")...) {
				if err := c.owner.Exec(grant).Error; err != nil {
					t.Fatalf("%s: %v", grant, err)
				}
			}
			record(t, sink, audit.Event{Type: "test", Actor: audit.Entity{ID: "ana"}}, audit.Event{Type: "test"})
			_, process = sealing(t, c.as("sealer"))
			sealer := process()
			if n, err := sealer.Seal(t.Context()); n != 2 || err != nil {
				t.Errorf("sealer: %d sealed, %v", n, err)
			}
			keeper := gormsink.New(c.as("keeper"), gormsink.WithHook(seal.Hook))
			if done, err := keeper.Erase(t.Context(), gormsink.Person{ID: "ana"}, clerk); done.Events != 1 || err != nil {
				t.Errorf("keeper: %+v, %v", done, err)
			}
			if _, err := sealer.Seal(t.Context()); err != nil {
				t.Error(err)
			}
			if report, err := sealer.Verify(t.Context()); report.Erased != 1 || report.Findings() != 0 || err != nil {
				t.Errorf("%v: %s", err, report)
			}
			for role, statements := range map[string][]string{
				"app":     {"INSERT INTO lock_audit_seal SELECT * FROM lock_audit_seal", "DELETE FROM lock_audit_checkpoint"},
				"sealer":  {"UPDATE lock_audit_seal SET hash = salt", "DELETE FROM lock_audit_seal", "UPDATE lock_audit_checkpoint SET note = ''", "DELETE FROM lock_audit"},
				"keeper":  {"UPDATE lock_audit_seal SET hash = salt", "DELETE FROM lock_audit_seal", "DELETE FROM lock_audit_checkpoint"},
				"auditor": {"UPDATE lock_audit_seal SET salt = NULL", "UPDATE lock_audit_checkpoint SET turn = 0"},
			} {
				for _, statement := range statements {
					if c.as(role).Exec(statement).Error == nil {
						t.Errorf("%s may %s", role, statement)
					}
				}
			}
		})
	}
}
