// SPDX-License-Identifier: MIT

package gormsink

import (
	"database/sql"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/audit"
)

// dialect has the differences between databases.
type dialect struct {
	name       string // GORM's
	types      [object + 1]string
	arrays     bool   // a batch is one parameter for each column, however many rows it has
	maxRows    int    // otherwise: rows of one INSERT, a power of two; drivers bound the parameters, and SQLite's take quadratic time for them
	rowValues  bool   // (a, b) > (x, y) is found by an index
	inTable    bool   // indexes are made with the table
	position   string // SQL that is more than 0 when details contain a text
	nativeTime bool   // columns of time have a type of time, not of integers
	onConflict string // makes an INSERT ignore ids that are stored already; "": see Sink.store
	forUpdate  string // locks the rows of a SELECT until the transaction ends
	lock       string // takes the migration lock until the transaction ends; one parameter

	isolation sql.IsolationLevel // of a transaction that writes
	duplicate string             // the code of a conflict
	deadlock  string             // of a transaction that was undone to end one; "" = there are none
	codeName  string             // of the codes of its errors
	permanent []string           // beginnings of the codes by which it refuses a value; an operator can add a missing table or right
	hints     map[string]string  // what to look at, by code
}

const ignoreID = " ON CONFLICT (id) DO NOTHING"

var (
	postgres = dialect{
		name:   "postgres",
		types:  [...]string{uuid: "uuid", moment: "timestamptz(6)", number: "bigint", code: "text", exact: "text", prose: "text", object: "json"}, // jsonb would change the text of details
		arrays: true, rowValues: true, position: "strpos(details::text, ?)", nativeTime: true,
		onConflict: ignoreID, forUpdate: " FOR UPDATE", lock: "SELECT pg_advisory_xact_lock(?)",
		deadlock: "40P01", codeName: "SQLSTATE", permanent: []string{"22", "23", "54"}, // data, constraint, too big a row or index entry
		hints: map[string]string{
			"42P01": noTable, "42703": noColumn, "42P07": otherTable, "3F000": "no such schema; Migrate does not create it",
			"42501": noRight, "25006": readOnly, "53100": diskFull, "57014": timeout,
		},
	}
	// Times are integers in SQLite: it has no type for them, and drivers write
	// texts that do not all sort.
	sqlite = dialect{
		name:    "sqlite",
		types:   [...]string{uuid: "text", moment: "integer", number: "integer", code: "text", exact: "text", prose: "text", object: "text"},
		maxRows: 64, rowValues: true, position: "instr(details, ?)", onConflict: ignoreID,
		codeName: "SQLite result code", permanent: []string{"18", "19", "20"}, // TOOBIG, CONSTRAINT, MISMATCH
		hints: map[string]string{
			"1": noTable, "5": "busy; let it wait, with busy_timeout in the DSN", "6": "locked by another statement of this connection or cache",
			"8": readOnly, "13": diskFull, "14": "the file cannot be opened",
		},
	}
	// What a query compares is binary in MySQL, whose collations take "ana" for
	// "ANA" or for "ana ". Times are integers, as its types cannot hold them all.
	mysql = dialect{
		name: "mysql",
		types: [...]string{
			uuid: "char(36) CHARACTER SET ascii COLLATE ascii_bin", moment: "bigint", number: "bigint",
			code: "varchar(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", exact: fmt.Sprintf("varbinary(%d)", audit.MaxText),
			prose: "text CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", object: "text CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
		},
		maxRows: 64, inTable: true, position: "instr(details, ?)", forUpdate: " FOR UPDATE",
		isolation: sql.LevelReadCommitted, duplicate: "1062", deadlock: "1213", codeName: "MySQL error",
		permanent: []string{
			"1048", "1062", "1153", "1264", "1292", "1366", "1406", "1451", "1452", "1690", "3140", "3819", "4025", // NULL, duplicate, packet, range, value, text, length, foreign keys, JSON, checks
		},
		hints: map[string]string{
			"1146": noTable, "1054": noColumn, "1050": otherTable, "1049": "no such database; Migrate does not create it",
			"1044": noRight, "1045": noRight, "1142": noRight, "1143": noRight, "1290": readOnly, "1836": readOnly,
			"1021": diskFull, "1205": "a lock was not free in time", "1969": timeout, "3024": timeout,
		},
	}
)

const (
	noTable    = "no such table; has Migrate run?"
	noColumn   = "no such column; has Migrate run, or does another program have a table of that name?"
	otherTable = "a table of that name exists and is no audit trail; see WithTable"
	noRight    = "the role lacks a right; docs/audit.md lists the grants"
	readOnly   = "read-only; is this a replica?"
	diskFull   = "the disk is full"
	timeout    = "the statement took too long"
)

// dialectOf returns the dialect of a database by GORM's name for it.
func dialectOf(name string) (dialect, error) {
	for _, d := range []dialect{postgres, sqlite, mysql} {
		if d.name == name {
			return d, nil
		}
	}
	return dialect{}, fmt.Errorf("gormsink: %w: a database of the kind %q; PostgreSQL, SQLite, MySQL and MariaDB are supported", audit.ErrInvalid, name)
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
		return d.insertArrays(table), arrays(rows, now)
	}
	args := make([]any, 0, len(rows)*len(columns))
	for i := range rows {
		args = d.appendRow(args, &rows[i], now)
	}
	row := "(" + strings.Repeat("?,", len(columns)-1) + "?)"
	return "INSERT INTO " + table + " (" + columnNames + ") VALUES " + strings.Repeat(row+",", len(rows)-1) + row + d.onConflict, args
}

// time returns t as the columns store it.
func (d dialect) time(t time.Time) any {
	if d.nativeTime {
		return t.UTC().Truncate(time.Microsecond)
	}
	return t.UnixMicro()
}
