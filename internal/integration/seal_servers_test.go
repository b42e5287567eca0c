// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit/gormsink"
	"github.com/holdfast-go/holdfast/audit/seal"
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
