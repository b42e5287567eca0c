// SPDX-License-Identifier: MIT

package seal

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/glebarez/sqlite"
	"golang.org/x/mod/sumdb/note"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// rig is a sealed trail in memory, with an anchor.
type rig struct {
	testing.TB
	db           *gorm.DB
	sink         *gormsink.Sink
	root         note.Signer
	cfg          Config
	anchor       *audit.Memory
	trails       []*Trail // of several processes
	rand         *rand.Rand
	table, seals string
}

func newRig(t testing.TB, seed uint64) *rig {
	t.Helper()
	db, err := gorm.Open(sqlite.Open(":memory:"), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	pool.SetMaxOpenConns(1) // each connection would have a database of its own
	t.Cleanup(func() { _ = pool.Close() })
	private, public, err := GenerateKey("hotel.example/audit")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{TB: t, db: db, anchor: audit.NewMemory(), rand: rand.New(rand.NewPCG(seed, 1)), table: "lock_audit", seals: "lock_audit_seal"}
	if r.root, err = note.NewSigner(private); err != nil {
		t.Fatal(err)
	}
	r.sink = gormsink.New(db, gormsink.WithHook(Hook))
	r.cfg = Config{
		Root: public, Anchor: r.anchor, Grace: time.Hour,
		Certify: func(_ context.Context, request string) (string, error) {
			return Certify(r.root, request, time.Now().Add(-time.Minute), time.Now().Add(time.Hour))
		},
		Anchors: func(context.Context) iter.Seq2[audit.Event, error] { return all(r.anchor.Events()) },
	}
	for range 4 {
		r.trails = append(r.trails, r.process())
	}
	must(t, r.sink.Migrate(t.Context()))
	must(t, r.trails[0].Migrate(t.Context()))
	return r
}

func all(events []audit.Event) iter.Seq2[audit.Event, error] {
	return func(yield func(audit.Event, error) bool) {
		for _, e := range events {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// process is a Trail as another process would have it.
func (r *rig) process() *Trail {
	r.Helper()
	t, err := New(r.sink, r.cfg)
	must(r, err)
	return t
}

func (r *rig) exec(query string, args ...any) {
	r.Helper()
	must(r, r.db.Exec(query, args...).Error)
}

// write stores n events of random types, tenants, people and ages.
func (r *rig) write(n int) {
	r.Helper()
	for range n {
		e := audit.Event{
			Type: fmt.Sprint("type-", r.rand.IntN(3)), Tenant: fmt.Sprint("tenant-", r.rand.IntN(2)), Outcome: audit.Success,
			Actor: audit.Entity{Type: "guest", ID: fmt.Sprint("guest-000", r.rand.IntN(5))}, Reason: fmt.Sprint(r.rand.Uint32()),
			Time: time.Now().Add(-time.Duration(r.rand.IntN(100)) * time.Hour),
		}
		if r.rand.IntN(2) == 0 {
			e.Details = audit.Fields(slog.Int("nights", 3), slog.String("held_by", e.Actor.ID))
			e.Actor = audit.Entity{}
		}
		must(r, audit.Direct(r.sink).Record(r.Context(), e))
	}
}

// seal seals by a random process.
func (r *rig) seal() {
	r.Helper()
	_, err := r.trails[r.rand.IntN(len(r.trails))].Seal(r.Context())
	must(r, err)
}

func (r *rig) verify() Report {
	r.Helper()
	report, err := r.trails[0].Verify(r.Context())
	must(r, err)
	return report
}

func (r *rig) count(table string) (n int64) {
	r.Helper()
	must(r, r.db.Raw("SELECT COUNT(*) FROM "+table).Scan(&n).Error)
	return n
}

// purge deletes what a random condition covers.
func (r *rig) purge() {
	r.Helper()
	e := gormsink.Expiry{Before: time.Now().Add(-time.Duration(20+r.rand.IntN(80)) * time.Hour)}
	if r.rand.IntN(2) == 0 {
		e.Type = fmt.Sprint("type-", r.rand.IntN(3))
	}
	if r.rand.IntN(2) == 0 {
		e.Tenant = fmt.Sprint("tenant-", r.rand.IntN(2))
	}
	if r.rand.IntN(8) == 0 {
		e.Before = time.Now().Add(time.Hour) // everything
	}
	if r.rand.IntN(8) == 0 {
		e.Type = []string{gormsink.TypePurged, gormsink.TypeErased}[r.rand.IntN(2)]
	}
	_, err := r.sink.Purge(r.Context(), e)
	must(r, err)
}

// erase erases a random guest.
func (r *rig) erase() gormsink.Erased {
	r.Helper()
	done, err := r.sink.Erase(r.Context(),
		gormsink.Person{Type: "guest", ID: fmt.Sprint("guest-000", r.rand.IntN(5)), Tenant: fmt.Sprint("tenant-", r.rand.IntN(2)), Keys: []string{"held_by"}},
		gormsink.Erasure{By: audit.Entity{Type: "clerk", ID: "cleo"}, Reason: "request"})
	must(r, err)
	return done
}
