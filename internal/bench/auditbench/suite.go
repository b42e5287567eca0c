// SPDX-License-Identifier: MIT

// Package auditbench compares ways to keep an audit trail: of handing an event
// over, of storing batches in PostgreSQL, of reading them page by page, and, in a
// suite of its own, of keeping them on disk, sealing and verifying them.
package auditbench

import (
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/internal/bench"
)

// Suite is the comparison. All ways of storing fill tables that gormsink made,
// indexes included, with the same events in the same server.
func Suite(t testing.TB) bench.Suite {
	db := open(t)
	return bench.Suite{
		Name:   "audit",
		Peers:  []string{"gorm.io/gorm", "gorm.io/driver/postgres", "github.com/jackc/pgx/v5"},
		Sample: 500 * time.Millisecond,
		Cases: []bench.Case{
			{Name: "Record", Make: record, NoAllocs: true},
			{Name: "floor: lock, UUIDv7, clock, copy", Make: floor},
			{Name: "store: gormsink, 512", Make: db.gormsink},
			{Name: "store: GORM Create, one by one", Make: db.create},
			{Name: "store: GORM CreateInBatches, 512", Make: db.createInBatches},
			{Name: "store: raw COPY, 512", Make: db.copy},
			{Name: "page at the end of 10^4 rows", Make: db.page(db.small, smallRows)},
			{Name: "page at the end of 10^6 rows", Make: db.page(db.large, largeRows)},
		},
		Bars: []bench.Bar{
			{Slow: "Record", Fast: "floor: lock, UUIDv7, clock, copy", AtMost: 1.5},
			{Slow: "store: GORM Create, one by one", Fast: "store: gormsink, 512", AtLeast: 25},
			{Slow: "store: GORM CreateInBatches, 512", Fast: "store: gormsink, 512", AtLeast: 1.15},
			{Slow: "store: gormsink, 512", Fast: "store: raw COPY, 512", AtMost: 1.3},
			{Slow: "page at the end of 10^6 rows", Fast: "page at the end of 10^4 rows", AtMost: 1.5},
		},
	}
}

// Durability compares the spool with bare writes, and a sealed trail with one that is
// not. Its writers would slow down those of [Suite] in PostgreSQL.
func Durability(t testing.TB) bench.Suite {
	db := open(t)
	return bench.Suite{
		Name:   "durability",
		Peers:  []string{"gorm.io/gorm", "gorm.io/driver/postgres", "github.com/jackc/pgx/v5", "golang.org/x/mod"},
		Sample: 500 * time.Millisecond,
		Cases: []bench.Case{
			{Name: "spool: Process, one caller", Make: spool(t, audit.Process, 1)},
			{Name: "spool: Process, 16 callers", Make: spool(t, audit.Process, 16)},
			{Name: "floor: write, one caller", Make: bareWrite(t, 1)},
			{Name: "floor: write, 16 callers", Make: bareWrite(t, 16)},
			{Name: "spool: Interval, 16 callers", Make: spool(t, audit.Interval, 16)},
			{Name: "spool: Disk, 256 callers", Make: spool(t, audit.Disk, 256)},
			{Name: "floor: write and fdatasync, 128", Make: bareSync(t, 128)},
			{Name: "four processes store", Make: db.fourWrite(false)},
			{Name: "four processes store and seal", Make: db.fourWrite(true)},
			{Name: "Query of 10^4 rows", Make: db.readAll},
			{Name: "Verify of 10^4 rows", Make: db.verifyAll},
		},
		Bars: []bench.Bar{
			{Slow: "spool: Process, 16 callers", Fast: "floor: write, 16 callers", AtMost: 1.5},
			{Slow: "spool: Disk, 256 callers", Fast: "floor: write and fdatasync, 128", AtMost: 1.67},
			{Slow: "four processes store and seal", Fast: "four processes store", AtMost: 2.5},
			{Slow: "Verify of 10^4 rows", Fast: "Query of 10^4 rows", AtMost: 3.3},
		},
	}
}
