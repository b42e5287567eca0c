// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
)

// With HOLDFAST_LONG it is a million, and the figures that are logged count.
func TestEachOfManyExpiriesIsReported(t *testing.T) {
	sessions := 2000
	if long() {
		sessions = 1_000_000
	}
	client := redistest.Real(t, "--slowlog-log-slower-than", "5000", "--slowlog-max-len", "1000").Client(t)
	var reported atomic.Int64
	m := newManager(t, client, session.Config[note]{
		IdleTimeout: 20 * time.Millisecond, CleanupInterval: 10 * time.Minute, CleanupBatch: 1000, CleanupWorkers: 64,
		OnExpire: func(context.Context, session.Expired[note]) error { reported.Add(1); return nil },
	})
	var creators sync.WaitGroup
	for range 20 {
		creators.Go(func() {
			for range sessions / 20 {
				if _, err := m.Create(context.Background(), note{"x"}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	creators.Wait()
	time.Sleep(20 * time.Millisecond) // a real server's clock
	client.ConfigResetStat(t.Context())
	client.Do(t.Context(), "slowlog", "reset")
	start := time.Now()
	for reported.Load() < int64(sessions) {
		if r, err := m.Sweep(t.Context()); err != nil || (r.Complete && reported.Load() < int64(sessions)) {
			t.Fatalf("%+v, %v: %d of %d were reported", r, err, reported.Load(), sessions)
		}
	}
	took := time.Since(start)
	t.Logf("%d expiries in %v, %.0f a second", sessions, took.Round(time.Millisecond), float64(sessions)/took.Seconds())
	t.Logf("%d commands took more than 5 ms, as does any that the machine interrupts", len(client.SlowLogGet(t.Context(), 1000).Val()))
	for line := range strings.Lines(client.Info(t.Context(), "commandstats").Val()) {
		if strings.HasPrefix(line, "cmdstat_evalsha:") {
			t.Log("all scripts: ", line)
		}
	}
	if n := reported.Load(); n != int64(sessions) {
		t.Errorf("%d reports for %d sessions", n, sessions)
	}
}
