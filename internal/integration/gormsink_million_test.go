// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

// filled makes a table of n rows, a second apart, numbered in one stream. Every
// thousandth is the person's, and every thousandth names the person.
func filled(t *testing.T, db *gorm.DB, n int) *gormsink.Sink {
	t.Helper()
	s := migrated(t, db)
	for _, statement := range []string{
		fmt.Sprintf(`INSERT INTO lock_audit (id, occurred_at, recorded_at, type, outcome, reason, actor_type, actor_id, actor_name,
			resource_type, resource_id, resource_name, on_behalf_of_type, on_behalf_of_id, on_behalf_of_name,
			tenant, session_id, correlation_id, trace_id, source_address, user_agent, stream, seq, details)
			SELECT (lpad(to_hex(i), 8, '0') || '-0000-7000-8000-' || substr(md5(i::text), 1, 12))::uuid, at, at, 'lock.acquired', 'success', '', 'holder', CASE i %% 1000 WHEN 1 THEN 'ana' ELSE 'guest-' || i %% 1000 END, '',
			'lock', 'room/' || i %% 100, '', '', '', '', '', '', '', '', '', '', '01890a5d-ac96-774b-bcce-b302099a8057', i,
			('{"check_in":"2026-12-12","nights":3,"lease":"' || gen_random_uuid() || '","held_by":"' || CASE i %% 1000 WHEN 2 THEN 'ana' ELSE 'guest-7' END || '"}')::json
			FROM (SELECT i, timestamptz '2026-01-01Z' + i * interval '1 second' AS at FROM generate_series(1, %d) i) rows`, n),
		"VACUUM ANALYZE lock_audit",
	} {
		if err := db.Exec(statement).Error; err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// writing writes single events until stop is closed, and returns how long each
// took.
func writing(t *testing.T, s *gormsink.Sink, stop <-chan struct{}) (took []time.Duration) {
	for {
		select {
		case <-stop:
			slices.Sort(took)
			return took
		case <-time.After(5 * time.Millisecond): // a pace, beside a real server
		}
		start := time.Now()
		if err := audit.Direct(s).Record(t.Context(), audit.Event{Type: "beside"}); err != nil {
			t.Error(err)
			return took
		}
		took = append(took, time.Since(start))
	}
}

func TestEraseAndPurgeOfAMillionEvents(t *testing.T) {
	n := 20_000
	if os.Getenv("HOLDFAST_LONG") != "" {
		n = 1_000_000
	}
	server := startPostgres(t)
	s := filled(t, server.open(t), n)
	begun := time.Now()
	if gaps, err := s.Gaps(t.Context()); len(gaps) > 0 || err != nil {
		t.Errorf("gaps %v, %v", gaps, err)
	}
	t.Logf("%d rows on %d processors: Gaps %s", n, runtime.NumCPU(), time.Since(begun).Round(time.Millisecond))

	slow := server.open(t)
	if err := slow.Exec("ALTER ROLE postgres SET statement_timeout = '1s'").Error; err != nil {
		t.Fatal(err)
	}
	begun = time.Now()
	done, err := gormsink.New(server.open(t)).Erase(t.Context(), gormsink.Person{Type: "holder", ID: "ana", Keys: []string{"held_by"}}, clerk)
	if err != nil || done.Events != int64(n/500) {
		t.Errorf("erased %+v, %v; want %d events", done, err, n/500)
	}
	if err := slow.Exec("ALTER ROLE postgres RESET statement_timeout").Error; err != nil {
		t.Fatal(err)
	}
	t.Logf("Erase %s, %d events, with a statement_timeout of a second", time.Since(begun).Round(time.Millisecond), done.Events)

	stop := make(chan struct{})
	var beside sync.WaitGroup
	var took []time.Duration
	beside.Go(func() { took = writing(t, gormsink.New(server.open(t)), stop) })
	snapshot := server.open(t).Begin() // holds back the vacuum
	defer snapshot.Rollback()
	var rows int
	if err := snapshot.Raw("SELECT count(*) FROM lock_audit_schema").Scan(&rows).Error; err != nil {
		t.Fatal(err)
	}
	begun = time.Now()
	purged, err := s.Purge(t.Context(), gormsink.Expiry{Before: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)})
	spent := time.Since(begun)
	close(stop)
	beside.Wait()
	if err != nil || purged != int64(n) {
		t.Errorf("purged %d, %v; want %d", purged, err, n)
	}
	t.Logf("Purge %s, %.0f rows/s; %d writes beside it, p50 %s, p99 %s", spent.Round(time.Millisecond), float64(n)/spent.Seconds(), len(took), at(took, 50), at(took, 99))
	if gaps, err := s.Gaps(t.Context()); len(gaps) > 0 || err != nil {
		t.Errorf("gaps %v, %v", gaps, err)
	}
}

// at is a percentile of sorted times.
func at(took []time.Duration, percent int) time.Duration {
	if len(took) == 0 {
		return 0
	}
	return took[(len(took)-1)*percent/100].Round(100 * time.Microsecond)
}
