// SPDX-License-Identifier: MIT

package gormsink

import (
	"math/bits"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/audit"
)

// dialect has the differences between databases.
type dialect struct {
	folder     string // under migrations
	arrays     bool   // a batch is one parameter for each column, however many rows it has
	maxRows    int    // otherwise: rows of one INSERT, a power of two; drivers bound the parameters, and SQLite's take quadratic time for them
	rowValues  bool   // (a, b) > (x, y) is found by an index
	position   string // SQL that is more than 0 when a text contains another
	nativeTime bool   // columns of time have a type of time, not of integers
	onConflict string // makes the INSERT ignore ids that are stored already
	lock       string // takes the migration lock until the transaction ends; one parameter
	sqliteCode bool   // errors may carry SQLite's result codes
}

func dialectOf(name string) dialect {
	const ignore = " ON CONFLICT (id) DO NOTHING"
	switch name {
	case "postgres":
		return dialect{folder: "postgres", arrays: true, rowValues: true, position: "strpos(details::text, ?)", nativeTime: true, onConflict: ignore, lock: "SELECT pg_advisory_xact_lock(?)"}
	case "sqlite":
		return dialect{folder: "sqlite", maxRows: 64, rowValues: true, position: "instr(details, ?)", onConflict: ignore, sqliteCode: true}
	case "mysql":
		return dialect{folder: "portable", maxRows: 64, position: "instr(details, ?)", onConflict: " ON DUPLICATE KEY UPDATE id = id"}
	}
	return dialect{folder: "portable", maxRows: 64, position: "instr(details, ?)", onConflict: ignore}
}

// rows returns how many of n rows the next INSERT takes.
func (d dialect) rows(n int) int {
	if d.arrays {
		return n
	}
	return min(d.maxRows, 1<<(bits.Len(uint(n))-1))
}

// insert returns the statement that stores the rows, and its parameters.
func (d dialect) insert(table string, rows []audit.Event, now time.Time) (string, []any) {
	if d.arrays {
		return insertArrays(table) + d.onConflict, arrays(rows, now)
	}
	args := make([]any, 0, len(rows)*len(columns))
	for i := range rows {
		args = d.appendRow(args, &rows[i], now)
	}
	return d.insertRows(table, len(rows)), args
}

func (d dialect) insertRows(table string, n int) string {
	row := "(" + strings.Repeat("?,", len(columns)-1) + "?)"
	return "INSERT INTO " + table + " (" + strings.Join(columns, ",") + ") VALUES " +
		strings.Repeat(row+",", n-1) + row + d.onConflict
}

// time returns t as the columns store it.
func (d dialect) time(t time.Time) any {
	if d.nativeTime {
		return t.UTC().Truncate(time.Microsecond)
	}
	return t.UnixMicro()
}
