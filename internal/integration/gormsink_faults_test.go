// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
	"github.com/holdfast-go/holdfast/internal/test/faultproxy"
)

// ground is what a fault happens on: the log writes through a proxy.
type ground struct {
	*testing.T
	server *postgresServer
	proxy  *faultproxy.Proxy
	beside *gorm.DB // does not go through the proxy
}

// backends signals the processes that serve the log's connections.
func (g *ground) backends(s syscall.Signal) {
	var pids []int
	if err := g.beside.Raw("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()").Scan(&pids).Error; err != nil {
		g.Fatal(err)
	}
	if len(pids) == 0 {
		g.Error("nothing serves the log")
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, s); err != nil {
			g.Error(err)
		}
	}
}

// Each fault begins after a third of the events and ends after two.
var databaseFaults = []struct {
	name       string
	begin, end func(*ground)
}{
	{"stopped immediately",
		func(g *ground) { g.server.StopNow(g) }, func(g *ground) { g.server.Restart(g) }},
	{"hung",
		func(g *ground) { g.backends(syscall.SIGSTOP) }, func(g *ground) { g.backends(syscall.SIGCONT) }},
	{"silent network",
		func(g *ground) { g.proxy.Hold(faultproxy.Both) }, func(g *ground) { g.proxy.Pass(faultproxy.Both) }},
	{"connection cut after COMMIT",
		func(g *ground) { g.proxy.Lose("test.fault", 3) },
		func(g *ground) { waitFor(g, "three lost answers", func() bool { return g.proxy.Lost() == 3 }) }},
}

func waitFor(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(time.Millisecond) { // a server's time is real
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestEveryAcceptedEventIsStoredOnceWhateverHappensToTheDatabase(t *testing.T) {
	for _, fault := range databaseFaults {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			server := startPostgres(t)
			g := &ground{t, server, faultproxy.Start(t, server.Addr()), server.open(t)}
			sink := migrated(t, openPostgres(t, server.URL(g.proxy.Addr, "postgres")))
			log, err := audit.New(sink, audit.Config{
				MaxBatch: 100, Linger: -1, WriteTimeout: time.Second, Retry: audit.Backoff{Base: 10 * time.Millisecond, Max: 100 * time.Millisecond},
			})
			if err != nil {
				t.Fatal(err)
			}
			total := 1500
			if os.Getenv("HOLDFAST_LONG") != "" {
				total = 7500
			}
			for i := range total {
				if i == total/3 {
					fault.begin(g)
				}
				if i == 2*total/3 {
					waitFor(t, "a write that had to be tried again", func() bool { return log.Stats().Retries > 0 })
					fault.end(g)
				}
				if err := log.Record(t.Context(), audit.Event{Type: "test.fault", Reason: fmt.Sprint(i)}); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
			defer cancel()
			if err := log.Close(ctx); err != nil {
				t.Fatalf("%v, stats %+v", err, log.Stats())
			}
			n := 0
			for e, err := range gormsink.New(server.open(t)).Query(ctx, gormsink.Criteria{Types: []string{"test.fault"}}) {
				if err != nil {
					t.Fatal(err)
				}
				if e.Reason != fmt.Sprint(n) {
					t.Fatalf("event %d is number %s", n, e.Reason)
				}
				n++
			}
			if n != total {
				t.Errorf("%d events are stored, want each of %d once", n, total)
			}
		})
	}
}

// Whatever a database complains about, it quotes; nothing of it may come
// through.
func TestNoValueReachesAnErrorOfARealDatabase(t *testing.T) {
	server := startPostgres(t)
	db := server.open(t)
	sink := migrated(t, db)
	for _, rule := range []string{
		"ALTER TABLE lock_audit ADD CONSTRAINT picky CHECK (reason <> 'canary')",
		"ALTER TABLE lock_audit ALTER COLUMN reason TYPE varchar(3)",
		"DROP TABLE lock_audit",
	} {
		if err := db.Exec(rule).Error; err != nil {
			t.Fatal(err)
		}
		err := audit.Direct(sink).Record(t.Context(), audit.Event{Type: "test", Reason: "canary", Actor: audit.Entity{ID: "canary"}})
		permanent := !strings.HasPrefix(rule, "DROP")
		if err == nil || strings.Contains(err.Error(), "canary") || errors.Is(err, audit.ErrPermanent) != permanent {
			t.Errorf("%s: %v, want an error that does not quote the event", rule, err)
		}
	}
}
