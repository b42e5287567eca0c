// SPDX-License-Identifier: MIT

package integration

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
	"github.com/holdfast-go/holdfast/audit/seal"
)

// sealing returns a way to make the Trails of processes on one table, which have an
// anchor in common.
func sealing(t testing.TB, db *gorm.DB, opts ...gormsink.Option) (sink *gormsink.Sink, process func() *seal.Trail) {
	t.Helper()
	sink = migrated(t, db, append(opts, gormsink.WithHook(seal.Hook))...)
	secret, public, err := seal.GenerateKey("hotel.example/audit")
	if err != nil {
		t.Fatal(err)
	}
	root, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	anchor := audit.NewMemory()
	process = func() *seal.Trail {
		trail, err := seal.New(sink, seal.Config{
			Root: public, Anchor: anchor,
			Certify: func(_ context.Context, request string) (string, error) {
				return seal.Certify(root, request, time.Now().Add(-time.Minute), time.Now().Add(24*time.Hour))
			},
			Anchors: func(context.Context) iter.Seq2[audit.Event, error] {
				return func(yield func(audit.Event, error) bool) {
					for _, e := range anchor.Events() {
						if !yield(e, nil) {
							return
						}
					}
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		return trail
	}
	return sink, process
}

// sealed checks what audit/seal says of a real database.
func sealed(t *testing.T, open func(testing.TB) *gorm.DB) {
	t.Run("FourProcessesSealWhileOthersWritePurgeEraseAndVerify", func(t *testing.T) { sealAtOnce(t, open(t)) })
	t.Run("EachChangeIsNamed", func(t *testing.T) { sealTampered(t, open(t)) })
}

func sealAtOnce(t *testing.T, db *gorm.DB) {
	sink, process := sealing(t, db, gormsink.WithTable("at_once"))
	var migrations sync.WaitGroup
	for range 4 {
		migrations.Go(func() {
			if err := process().Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	migrations.Wait()
	const each, batches = 50, 12
	var writers, others sync.WaitGroup
	stop := make(chan struct{})
	until := func(do func() error) {
		others.Go(func() {
			for {
				if err := do(); err != nil {
					t.Error(err)
					return
				}
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond): // a pace, beside a real server
				}
			}
		})
	}
	for w := range 4 {
		writers.Go(func() {
			for i := range batches {
				list := batch(t, each)
				for j := range list {
					list[j].Time = noon.Add(time.Duration(i*each+j) * time.Minute)
					list[j].Tenant, list[j].Actor = "hotel", audit.Entity{Type: "guest", ID: fmt.Sprint("guest-", j%10)}
				}
				if err := sink.Write(t.Context(), list); err != nil {
					t.Errorf("writer %d: %v", w, err)
				}
			}
		})
		trail := process()
		until(func() error { _, err := trail.Seal(t.Context()); return err })
	}
	verifier := process()
	var round atomic.Int64
	until(func() error {
		report, err := verifier.Verify(t.Context())
		if report.Findings() != 0 || report.Unjudged != 0 {
			err = errors.Join(err, errors.New(report.String()))
		}
		return err
	})
	until(func() error {
		_, err := sink.Purge(t.Context(), gormsink.Expiry{Before: noon.Add(time.Duration(round.Add(1)*10) * time.Minute), Tenant: "hotel"})
		if errors.Is(err, audit.ErrUnavailable) {
			return nil // old events came in between, and the page was undone
		}
		return err
	})
	until(func() error {
		_, err := sink.Erase(t.Context(), gormsink.Person{Type: "guest", ID: fmt.Sprint("guest-", round.Load()%10), Tenant: "hotel"}, clerk)
		return err
	})
	writers.Wait()
	close(stop)
	others.Wait()
	// However many of those at once were undone, or deleted what others had erased:
	// one purge and one erasure more.
	if _, err := sink.Purge(t.Context(), gormsink.Expiry{Before: noon.Add(each * batches / 2 * time.Minute), Tenant: "hotel"}); err != nil {
		t.Error(err)
	}
	late := batch(t, 1)
	late[0].Actor = audit.Entity{Type: "guest", ID: "late"}
	store(t, sink, late)
	if _, err := process().Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := sink.Erase(t.Context(), gormsink.Person{Type: "guest", ID: "late"}, clerk); err != nil {
		t.Error(err)
	}
	if _, err := process().Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	report, err := verifier.Verify(t.Context())
	rows := int64(len(query(t, sink, gormsink.Criteria{})))
	if err != nil || report.Findings() != 0 || report.Pending != 0 || report.Unsealed != 0 || report.Intact+report.Erased != rows || report.Erased == 0 || report.Purged == 0 {
		t.Errorf("%v, %d rows: %s", err, rows, report)
	}
}

func sealTampered(t *testing.T, db *gorm.DB) {
	sink, process := sealing(t, db, gormsink.WithTable("tampered"))
	trail := process()
	if err := trail.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := batch(t, 40)
	all[0].Details = parsed(t, "{ \"a\" :\n\t1.50 , \"a\": \"ü\\u00fc\" }")
	all[1].Reason, all[1].Tenant = "🏨 josé", `hô"t\el, {}`
	for part := range slices.Chunk(all, 10) {
		store(t, sink, part)
		if n, err := trail.Seal(t.Context()); n != 10 || err != nil {
			t.Fatalf("%d sealed, %v", n, err)
		}
	}
	verify := func() seal.Report {
		t.Helper()
		report, err := process().Verify(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	if report := verify(); report.Intact != 40 || report.Findings() != 0 {
		t.Fatalf("untouched: %s", report)
	}
	proof, err := trail.Prove(t.Context(), all[17].ID)
	if err != nil || len(proof) < 500 {
		t.Errorf("%v: %s", err, proof)
	}
	exec := func(query string, args ...any) {
		t.Helper()
		if err := db.Exec(query, args...).Error; err != nil {
			t.Fatal(err)
		}
	}
	exec("UPDATE tampered SET outcome = 'denied' WHERE id = ?", all[5].ID.String())
	exec("DELETE FROM tampered WHERE id = ?", all[6].ID.String())
	inserted := record(t, sink, audit.Event{Type: "test"})[0].ID
	old := any(time.Now().Add(-3 * time.Hour))
	if db.Dialector.Name() != "postgres" {
		old = old.(time.Time).UnixMicro()
	}
	exec("UPDATE tampered SET recorded_at = ? WHERE id = ?", old, inserted.String())
	report := verify()
	if report.Intact != 38 || !slices.Equal(report.Changed.IDs, []audit.ID{all[5].ID}) || !slices.Equal(report.Removed.IDs, []audit.ID{all[6].ID}) ||
		!slices.Equal(report.Inserted.IDs, []audit.ID{inserted}) || report.DamagedParts != 0 {
		t.Errorf("one changed, one removed, one inserted: %s", report)
	}
	exec("UPDATE tampered_seal SET occurred = occurred + 1 WHERE idx = 25")
	report = verify()
	if report.Intact != 28 || report.Unjudged != 10 || report.DamagedParts != 1 || report.Damaged[0].From != 20 || report.Damaged[0].To != 30 || report.Findings() != 4 {
		t.Errorf("and a seal: %s", report)
	}
	exec("DELETE FROM tampered_seal WHERE idx >= 30")
	exec("DELETE FROM tampered_checkpoint WHERE size > 30")
	report = verify()
	if report.DamagedParts != 2 || report.Findings() != 5 || report.Damaged[1].From != 30 || report.Damaged[1].To != 40 {
		t.Errorf("and the tail: %s", report)
	}
}

// SQLite's lock is not fair: on a busy machine one of eleven writers that never pause
// can lose it to the others for longer than the five seconds of the other tests.
func TestSealOnSQLiteKeepsItsPromises(t *testing.T) {
	sealed(t, func(t testing.TB) *gorm.DB {
		return openSQLite(t, strings.Replace(sqliteFile(t), "busy_timeout(5000)", "busy_timeout(60000)", 1))
	})
}
