// SPDX-License-Identifier: MIT

package gormsink

import (
	"math/bits"
	"strings"
	"time"
)

// dialect is what differs between databases.
type dialect struct {
	folder     string // under migrations
	maxRows    int    // of one INSERT, a power of two; drivers bound the parameters, SQLite's take quadratic time for them
	nativeTime bool   // times are times, not microseconds
	onConflict string // what makes the insert ignore ids that are there
	lock       string // takes the migration lock until the transaction ends; one parameter
	sqliteCode bool   // errors may carry SQLite's result codes
}

func dialectOf(name string) dialect {
	const ignore = " ON CONFLICT (id) DO NOTHING"
	switch name {
	case "postgres":
		return dialect{folder: "postgres", maxRows: 1024, nativeTime: true, onConflict: ignore, lock: "SELECT pg_advisory_xact_lock(?)"}
	case "sqlite":
		return dialect{folder: "sqlite", maxRows: 64, onConflict: ignore, sqliteCode: true}
	case "mysql":
		return dialect{folder: "portable", maxRows: 64, onConflict: " ON DUPLICATE KEY UPDATE id = id"}
	}
	return dialect{folder: "portable", maxRows: 64, onConflict: ignore}
}

// rows returns how many of n rows the next INSERT takes.
func (d dialect) rows(n int) int { return min(d.maxRows, 1<<(bits.Len(uint(n))-1)) }

// insert returns the statement for n rows.
func (d dialect) insert(table string, n int) string {
	row := "(" + strings.Repeat("?,", len(columns)-1) + "?)"
	return "INSERT INTO " + table + " (" + strings.Join(columns, ",") + ") VALUES " +
		strings.Repeat(row+",", n-1) + row + d.onConflict
}

// time returns a time as the columns keep it.
func (d dialect) time(t time.Time) any {
	if d.nativeTime {
		return t.UTC().Truncate(time.Microsecond)
	}
	return t.UnixMicro()
}
