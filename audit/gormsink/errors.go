// SPDX-License-Identifier: MIT

package gormsink

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/holdfast-go/holdfast/audit"
)

// databaseError is a driver's error with a text that cannot quote an event:
// drivers put the value that they refuse into their texts. Unwrap returns the
// original.
type databaseError struct {
	text  string
	class error
	cause error
}

func (e *databaseError) Error() string   { return e.class.Error() + ": " + e.text }
func (e *databaseError) Unwrap() []error { return []error{e.class, e.cause} }

// explain adds what was attempted and whether another try may succeed. Drivers are
// not imported: PostgreSQL's errors have a SQLSTATE, SQLite's a result code.
func (d dialect) explain(what string, err error) error {
	class := audit.ErrUnavailable
	if d.permanent(err) {
		class = audit.ErrPermanent
	}
	return fmt.Errorf("gormsink: %s: %w", what, &databaseError{text: d.text(err), class: class, cause: err})
}

// permanent reports whether the database refuses a value: SQLSTATE class 22
// (data exception), 23 (constraint) or 54 (the row or the index entry is too
// big). A missing table or right is not permanent: an operator can add it.
func (d dialect) permanent(err error) bool {
	if state := sqlState(err); state != "" {
		return strings.HasPrefix(state, "22") || strings.HasPrefix(state, "23") || strings.HasPrefix(state, "54")
	}
	switch d.resultCode(err) {
	case 18, 19, 20: // TOOBIG, CONSTRAINT, MISMATCH
		return true
	}
	return false
}

func (d dialect) text(err error) string {
	if state := sqlState(err); state != "" {
		if state == "42P01" {
			return "SQLSTATE 42P01 (no such table; has Migrate run?)"
		}
		return "SQLSTATE " + state
	}
	if code := d.resultCode(err); code != 0 {
		return fmt.Sprintf("SQLite result code %d", code)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Error()
	}
	for _, known := range []error{context.Canceled, context.DeadlineExceeded, driver.ErrBadConn, sql.ErrConnDone, sql.ErrTxDone} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return fmt.Sprintf("a %T", err)
}

func sqlState(err error) string {
	if e, ok := errors.AsType[interface {
		error
		SQLState() string
	}](err); ok {
		return e.SQLState()
	}
	return ""
}

// resultCode returns SQLite's primary result code, 0 when there is none.
func (d dialect) resultCode(err error) int {
	if e, ok := errors.AsType[interface {
		error
		Code() int
	}](err); ok && d.sqliteCode {
		return e.Code() & 0xff
	}
	return 0
}
