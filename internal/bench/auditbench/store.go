// SPDX-License-Identifier: MIT

package auditbench

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
	"github.com/holdfast-go/holdfast/internal/test/postgrestest"
)

// database is a server with two tables to read from.
type database struct {
	gorm         *gorm.DB
	raw          *pgx.Conn
	small, large *gormsink.Sink
}

const (
	batchRows = 512
	smallRows = 10_000
	largeRows = 1_000_000
)

var ctx = context.Background()

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// open starts a server as durable as one is by default.
func open(t testing.TB) *database {
	server := postgrestest.Start(t, "-c", "max_wal_size=4GB", "-c", "autovacuum=off")
	url := server.URL(server.Addr(), "postgres")
	d := &database{gorm: must(gorm.Open(postgres.Open(url), &gorm.Config{Logger: logger.Discard})), raw: must(pgx.Connect(ctx, url))}
	pool := must(d.gorm.DB())
	t.Cleanup(func() { _ = pool.Close() })
	t.Cleanup(func() { _ = d.raw.Close(ctx) })
	d.small, d.large = d.filled("small", smallRows), d.filled("large", largeRows)
	return d
}

var tables atomic.Int64

// empty makes a table with its indexes and drops the one before.
func (d *database) empty() string {
	n := tables.Add(1)
	must(0, d.gorm.Exec(fmt.Sprintf("DROP TABLE IF EXISTS trail_%[1]d, trail_%[1]d_schema, trail_%[1]d_seal, trail_%[1]d_checkpoint", n-1)).Error)
	name := fmt.Sprintf("trail_%d", n)
	must(0, gormsink.New(d.gorm, gormsink.WithTable(name)).Migrate(ctx))
	return name
}

// filled makes a table of n rows, a second apart.
func (d *database) filled(name string, n int) *gormsink.Sink {
	s := gormsink.New(d.gorm, gormsink.WithTable(name))
	must(0, s.Migrate(ctx))
	must(0, d.gorm.Exec("INSERT INTO "+name+` (id, occurred_at, recorded_at, type, outcome, reason, actor_type, actor_id, actor_name,
		resource_type, resource_id, resource_name, on_behalf_of_type, on_behalf_of_id, on_behalf_of_name,
		tenant, session_id, correlation_id, trace_id, source_address, user_agent, stream, seq, details) SELECT gen_random_uuid(), at, at, 'lock.acquired', 'success', '', 'holder', 'guest-' || i % 1000, '',
		'lock', 'room/' || i % 100, '', '', '', '', '', '', '', '', '', '', gen_random_uuid(), i, '{"nights":3}' FROM (SELECT i, timestamptz '2026-01-01Z' + i * interval '1 second' AS at FROM generate_series(1, ?) i) rows`, n).Error)
	must(0, d.gorm.Exec("ANALYZE "+name).Error)
	return s
}

// batches calls store with batches of new events until those are n.
func batches(n int, store func([]audit.Event) error) {
	batch, stream, seq := make([]audit.Event, 0, batchRows), audit.NewID(), uint64(0)
	for n > 0 {
		batch = batch[:0]
		for range min(n, batchRows) {
			e := event
			seq++
			e.Stream, e.Seq = stream, seq
			e.ID, e.Time = audit.NewID(), time.Now().UTC().Truncate(time.Microsecond)
			batch = append(batch, e)
		}
		must(0, store(batch))
		n -= len(batch)
	}
}

func (d *database) gormsink() func(int) {
	s := gormsink.New(d.gorm, gormsink.WithTable(d.empty()))
	return func(n int) {
		batches(n, func(batch []audit.Event) error { return s.Write(ctx, batch) })
	}
}

// row is the table as a GORM model.
type row struct {
	ID                                        string `gorm:"primaryKey"`
	OccurredAt, RecordedAt                    time.Time
	Type, Outcome, Reason                     string
	ActorType, ActorID, ActorName             string
	ResourceType, ResourceID, ResourceName    string
	OnBehalfOfType, OnBehalfOfID              string
	OnBehalfOfName                            string
	Tenant, SessionID, CorrelationID, TraceID string
	SourceAddress, UserAgent                  string
	Stream                                    string
	Seq                                       uint64
	Details                                   string
}

func rows(batch []audit.Event) []row {
	list := make([]row, len(batch))
	now := time.Now()
	for i, e := range batch {
		list[i] = row{e.ID.String(), e.Time, now, e.Type, e.Outcome.String(), e.Reason, e.Actor.Type, e.Actor.ID, e.Actor.Name,
			e.Resource.Type, e.Resource.ID, e.Resource.Name, e.OnBehalfOf.Type, e.OnBehalfOf.ID, e.OnBehalfOf.Name,
			e.Tenant, e.Session, e.Correlation, e.TraceID, e.SourceAddress, e.UserAgent, e.Stream.String(), e.Seq, e.Details.String()}
	}
	return list
}

func (d *database) create() func(int) {
	table := d.empty()
	return func(n int) {
		batches(n, func(batch []audit.Event) error {
			for _, r := range rows(batch) {
				if err := d.gorm.Table(table).Create(&r).Error; err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func (d *database) createInBatches() func(int) {
	table := d.empty()
	return func(n int) {
		batches(n, func(batch []audit.Event) error {
			onConflict := clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoNothing: true}
			return d.gorm.Table(table).Clauses(onConflict).CreateInBatches(rows(batch), batchRows).Error
		})
	}
}

// copy stores nothing twice only because nothing comes twice.
func (d *database) copy() func(int) {
	table := d.empty()
	columns := []string{"id", "occurred_at", "recorded_at", "type", "outcome", "reason", "actor_type", "actor_id", "actor_name",
		"resource_type", "resource_id", "resource_name", "on_behalf_of_type", "on_behalf_of_id", "on_behalf_of_name",
		"tenant", "session_id", "correlation_id", "trace_id", "source_address", "user_agent", "stream", "seq", "details"}
	return func(n int) {
		batches(n, func(batch []audit.Event) error {
			list := rows(batch)
			_, err := d.raw.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromSlice(len(list), func(i int) ([]any, error) {
				r := list[i]
				return []any{r.ID, r.OccurredAt, r.RecordedAt, r.Type, r.Outcome, r.Reason, r.ActorType, r.ActorID, r.ActorName,
					r.ResourceType, r.ResourceID, r.ResourceName, r.OnBehalfOfType, r.OnBehalfOfID, r.OnBehalfOfName,
					r.Tenant, r.SessionID, r.CorrelationID, r.TraceID, r.SourceAddress, r.UserAgent, r.Stream, int64(r.Seq), r.Details}, nil
			}))
			return err
		})
	}
}

// page reads the last 1001 of a table's n rows: a page of 1000, and another one.
func (d *database) page(s *gormsink.Sink, n int) func() func(int) {
	from := time.Date(2026, 1, 1, 0, 0, n-1000, 0, time.UTC)
	return func() func(int) {
		return func(times int) {
			for range times {
				read := 0
				for _, err := range s.Query(ctx, gormsink.Criteria{From: from}) {
					must(0, err)
					read++
				}
				if read != 1001 {
					panic(fmt.Sprint("read ", read))
				}
			}
		}
	}
}
