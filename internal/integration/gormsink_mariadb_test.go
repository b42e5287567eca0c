// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/audittest"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

func TestGormsinkOnMariaDBIsASink(t *testing.T) {
	t.Parallel()
	server := startMariaDB(t)
	for _, charset := range []string{"utf8mb4", "latin1"} { // what texts are stored in is the table's business, not the database's
		t.Run(charset, func(t *testing.T) {
			db := server.open(t, charset, charset)
			var n atomic.Int64
			audittest.Run(t, func(t testing.TB) (audit.Sink, audittest.Reader) {
				s := migrated(t, db, gormsink.WithTable(fmt.Sprintf("trail_%d", n.Add(1))))
				return s, reader(s)
			})
		})
	}
}

func TestGormsinkOnMariaDBKeepsItsPromises(t *testing.T) {
	t.Parallel()
	server := startMariaDB(t)
	var n atomic.Int64
	promises(t, func(t testing.TB) *gorm.DB { return server.open(t, fmt.Sprintf("case_%d", n.Add(1)), "utf8mb4") })
}

func TestTrailIsCompleteAfterMariaDBDiedAndCameBack(t *testing.T) {
	t.Parallel()
	server := startMariaDB(t)
	completeAfterDeath(t, migrated(t, server.open(t, "trail", "utf8mb4")), func() { server.Kill() }, func() { server.restart(t) })
}

// Several processes write, and one event reaches two of them.
func TestWritersToMariaDBAtTheSameTimeStoreEachEventOnce(t *testing.T) {
	t.Parallel()
	db := startMariaDB(t).open(t, "trail", "utf8mb4")
	s := migrated(t, db)
	all := batch(t, 2000)
	var writers sync.WaitGroup
	for i := range 4 {
		writers.Go(func() {
			for part := range slices.Chunk(all[i*250:i*250+1250], 100) {
				if err := gormsink.New(db).Write(t.Context(), part); err != nil {
					t.Errorf("writer %d: %v", i, err)
				}
			}
		})
	}
	writers.Wait()
	if got := query(t, s, gormsink.Criteria{}); !slices.Equal(got, all) {
		t.Errorf("%d events are stored, want each of %d once", len(got), len(all))
	}
}

// lostDeadlock is an error as of both drivers.
type lostDeadlock struct{ Number uint16 }

func (lostDeadlock) Error() string    { return "deadlock" }
func (lostDeadlock) SQLState() string { return "40P01" }

func TestAPageThatLosesADeadlockIsTriedAgain(t *testing.T) {
	for name, db := range map[string]*gorm.DB{"PostgreSQL": startPostgres(t).open(t), "MariaDB": startMariaDB(t).open(t, "trail", "utf8mb4")} {
		lost := 0
		s := migrated(t, db, gormsink.WithHook(func(*gorm.DB, *gormsink.Sink, *audit.Event, []audit.Event) error {
			if lost++; lost%3 > 0 {
				return lostDeadlock{1213}
			}
			return nil
		}))
		events := batch(t, 10)
		for i := range events {
			events[i].Actor = audit.Entity{Type: "guest", ID: "ana"}
		}
		if err := s.Write(t.Context(), events); err != nil {
			t.Fatal(err)
		}
		erased, err := s.Erase(t.Context(), gormsink.Person{Type: "guest", ID: "ana"}, gormsink.Erasure{By: audit.Entity{Type: "clerk", ID: "cleo"}, Reason: "asked"})
		if err != nil || erased.Events != 10 || lost != 3 {
			t.Errorf("%s: %d events erased after %d tries, %v", name, erased.Events, lost, err)
		}
		purged, err := s.Purge(t.Context(), gormsink.Expiry{Before: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)})
		if err != nil || purged != 10 || lost != 6 {
			t.Errorf("%s: %d events purged after %d tries, %v", name, purged, lost-3, err)
		}
	}
}
