// SPDX-License-Identifier: MIT

package gormsink

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strconv"
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
// not imported: their errors have a code in a method or in a field.
func (d dialect) explain(what string, err error) error {
	if errors.Is(err, audit.ErrUnavailable) { // not of a driver
		return fmt.Errorf("gormsink: %s: %w", what, err)
	}
	class := audit.ErrUnavailable
	code := d.code(err)
	if slices.ContainsFunc(d.permanent, func(prefix string) bool { return strings.HasPrefix(code, prefix) }) {
		class = audit.ErrPermanent
	}
	return fmt.Errorf("gormsink: %s: %w", what, &databaseError{text: d.text(code, err), class: class, cause: err})
}

func (d dialect) text(code string, err error) string {
	if code != "" {
		text := d.codeName + " " + code
		if hint := d.hints[code]; hint != "" {
			text += " (" + hint + ")"
		}
		return text
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Error()
	}
	for _, known := range []error{context.Canceled, context.DeadlineExceeded, driver.ErrBadConn, sql.ErrConnDone, sql.ErrTxDone} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if text := err.Error(); text == "sql: database is closed" { // no name is exported for it
		return text
	}
	return fmt.Sprintf("a %T", err)
}

// code returns the code that the database has given, or "": PostgreSQL's
// SQLSTATE, SQLite's primary result code, MySQL's number.
func (d dialect) code(err error) string {
	switch d.name {
	case "postgres":
		if e, ok := errors.AsType[interface {
			error
			SQLState() string
		}](err); ok {
			return e.SQLState()
		}
		return field(err, "Code")
	case "sqlite":
		text := field(err, "Code")
		if e, ok := errors.AsType[interface {
			error
			Code() int
		}](err); ok {
			text = strconv.Itoa(e.Code())
		}
		if n, err := strconv.Atoi(text); err == nil {
			return strconv.Itoa(n & 0xff)
		}
		return ""
	}
	return field(err, "Number")
}

// field returns the text of a field, of the first error in the chain that has a
// text or a number of that name.
func field(err error, name string) string {
	for ; err != nil; err = errors.Unwrap(err) {
		v := reflect.Indirect(reflect.ValueOf(err))
		if v.Kind() != reflect.Struct {
			continue
		}
		switch f := v.FieldByName(name); {
		case !f.IsValid():
		case f.CanInt():
			return strconv.FormatInt(f.Int(), 10)
		case f.CanUint():
			return strconv.FormatUint(f.Uint(), 10)
		case f.Kind() == reflect.String:
			return f.String()
		}
	}
	return ""
}
