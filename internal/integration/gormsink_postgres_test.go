// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/audittest"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

func TestGormsinkOnPostgresIsASink(t *testing.T) {
	db := startPostgres(t).open(t)
	var n atomic.Int64
	audittest.Run(t, func(t testing.TB) (audit.Sink, audittest.Reader) {
		s := migrated(t, db, gormsink.WithTable(fmt.Sprintf("trail_%d", n.Add(1))))
		return s, reader(s)
	})
}

func TestGormsinkOnPostgresKeepsItsPromises(t *testing.T) {
	server := startPostgres(t)
	open := func(t testing.TB) *gorm.DB {
		db := server.open(t)
		if err := db.Exec("DROP TABLE IF EXISTS lock_audit, lock_audit_schema").Error; err != nil { // of the case before
			t.Fatal(err)
		}
		return db
	}
	promises(t, open)
	t.Run("details of any origin are queried", func(t *testing.T) { detailsOfAnyOrigin(t, open(t)) })
}

// detailsOfAnyOrigin reads a field of the details in SQL. One row with a lone
// surrogate or \u0000 would fail the query for every row.
func detailsOfAnyOrigin(t *testing.T, db *gorm.DB) {
	sink := migrated(t, db)
	direct := audit.Direct(sink)
	nul, err := audit.ParseDetails(`{"a":"x\u0000y"}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []audit.Details{nul, audit.JSON(json.RawMessage(`{"a":"x\ud800y"}`)), audit.JSON(json.RawMessage(`{"a":"\ude00\ud83d\ude00"}`))} {
		if err := direct.Record(t.Context(), audit.Event{Type: "test", Details: d}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	if err := db.Raw("SELECT details->>'a' FROM lock_audit ORDER BY id").Scan(&got).Error; err != nil {
		t.Fatal(err)
	}
	if want := []string{"x\uFFFDy", "x\uFFFDy", "\uFFFD😀"}; !slices.Equal(got, want) {
		t.Errorf("the details are %q, want %q", got, want)
	}
}

func TestAuditDatabaseGoneIsUnavailableWithinTheDeadline(t *testing.T) {
	server := startPostgres(t)
	db := server.open(t)
	sink := migrated(t, db)
	server.Kill()

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	start := time.Now()
	err := audit.Direct(sink).Record(ctx, audit.Event{Type: "test"})
	if !errors.Is(err, audit.ErrUnavailable) {
		t.Errorf("writing to a dead database: %v, want ErrUnavailable", err)
	}
	if took := time.Since(start); took > 7*time.Second {
		t.Errorf("it took %s, beyond the deadline of 2s", took)
	}
	for _, err := range sink.Query(ctx, gormsink.Criteria{}) {
		if !errors.Is(err, audit.ErrUnavailable) {
			t.Errorf("reading from a dead database: %v, want ErrUnavailable", err)
		}
	}
}

func TestTrailIsCompleteAfterTheDatabaseDiedAndCameBack(t *testing.T) {
	server := startPostgres(t)
	completeAfterDeath(t, migrated(t, server.open(t)), server.Kill, func() { server.Restart(t) })
}

// completeAfterDeath records events while the server is killed and started again.
func completeAfterDeath(t *testing.T, sink *gormsink.Sink, kill, restart func()) {
	log, err := audit.New(sink, audit.Config{Linger: -1, Retry: audit.Backoff{Base: 10 * time.Millisecond, Max: 100 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	const total = 3000
	for i := range total {
		if i == total/3 {
			kill() // the queue takes what comes meanwhile
		}
		if i == 2*total/3 {
			restart()
		}
		if err := log.Record(t.Context(), audit.Event{Type: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := log.Close(ctx); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range sink.Query(ctx, gormsink.Criteria{Types: []string{"test"}}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != total {
		t.Errorf("%d events are stored, want each of %d once", n, total)
	}
}
