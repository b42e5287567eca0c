// SPDX-License-Identifier: MIT

package gormsink

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
)

// kind is what a column holds.
type kind int

const (
	uuid   kind = iota
	moment      // microseconds
	number
	code   // a short text
	exact  // a text that indexes have and queries compare, byte by byte
	prose  // another text
	object // the text of a JSON object
)

// column is one column of the table: a text of the event, or a value with a
// pair of functions.
type column struct {
	name string
	kind kind
	null bool // in PostgreSQL's sense: absent values are NULL

	text func(*audit.Event) *string
	put  func(e *audit.Event, now time.Time) any // nil, string, time.Time or int64
	get  func(e *audit.Event, v any) bool        // v is what put returned, or as a driver changed it; false: of the wrong kind
}

// columns describes the table: the SQL of Migrate, every INSERT and every SELECT
// are made from it.
var columns = []column{
	{name: "id", kind: uuid,
		put: func(e *audit.Event, _ time.Time) any { return e.ID.String() },
		get: func(e *audit.Event, v any) bool { return parseID(&e.ID, v) }},
	{name: "occurred_at", kind: moment,
		put: func(e *audit.Event, _ time.Time) any { return e.Time },
		get: func(e *audit.Event, v any) (ok bool) { e.Time, ok = parseTime(v); return ok }},
	{name: "recorded_at", kind: moment,
		put: func(_ *audit.Event, now time.Time) any { return now },
		get: func(_ *audit.Event, v any) (ok bool) { _, ok = parseTime(v); return ok }},
	{name: "type", kind: code, text: func(e *audit.Event) *string { return &e.Type }},
	{name: "outcome", kind: code,
		put: func(e *audit.Event, _ time.Time) any { return e.Outcome.String() },
		get: func(e *audit.Event, v any) (ok bool) {
			text, _ := v.(string)
			e.Outcome, ok = audit.ParseOutcome(text)
			return ok
		}},
	{name: "reason", kind: prose, text: func(e *audit.Event) *string { return &e.Reason }},
	{name: "actor_type", kind: exact, text: func(e *audit.Event) *string { return &e.Actor.Type }},
	{name: "actor_id", kind: exact, text: func(e *audit.Event) *string { return &e.Actor.ID }},
	{name: "actor_name", kind: prose, text: func(e *audit.Event) *string { return &e.Actor.Name }},
	{name: "resource_type", kind: exact, text: func(e *audit.Event) *string { return &e.Resource.Type }},
	{name: "resource_id", kind: exact, text: func(e *audit.Event) *string { return &e.Resource.ID }},
	{name: "resource_name", kind: prose, text: func(e *audit.Event) *string { return &e.Resource.Name }},
	{name: "on_behalf_of_type", kind: exact, text: func(e *audit.Event) *string { return &e.OnBehalfOf.Type }},
	{name: "on_behalf_of_id", kind: exact, text: func(e *audit.Event) *string { return &e.OnBehalfOf.ID }},
	{name: "on_behalf_of_name", kind: prose, text: func(e *audit.Event) *string { return &e.OnBehalfOf.Name }},
	{name: "tenant", kind: exact, text: func(e *audit.Event) *string { return &e.Tenant }},
	{name: "session_id", kind: exact, text: func(e *audit.Event) *string { return &e.Session }},
	{name: "correlation_id", kind: exact, text: func(e *audit.Event) *string { return &e.Correlation }},
	{name: "trace_id", kind: exact, text: func(e *audit.Event) *string { return &e.TraceID }},
	{name: "source_address", kind: exact, text: func(e *audit.Event) *string { return &e.SourceAddress }},
	{name: "user_agent", kind: prose, text: func(e *audit.Event) *string { return &e.UserAgent }},
	{name: "stream", kind: uuid, null: true,
		put: func(e *audit.Event, _ time.Time) any {
			if e.Stream.IsZero() {
				return nil
			}
			return e.Stream.String()
		},
		get: func(e *audit.Event, v any) bool { return v == nil || parseID(&e.Stream, v) }},
	{name: "seq", kind: number, null: true,
		put: func(e *audit.Event, _ time.Time) any {
			if e.Seq == 0 {
				return nil
			}
			return int64(e.Seq)
		},
		get: func(e *audit.Event, v any) bool {
			n, ok := parseNumber(v)
			e.Seq = uint64(n)
			return ok && n > 0 || v == nil
		}},
	{name: "details", kind: object, null: true,
		put: func(e *audit.Event, _ time.Time) any {
			if e.Details.IsZero() {
				return nil
			}
			return e.Details.String()
		},
		get: func(e *audit.Event, v any) bool {
			text, ok := v.(string)
			var err error
			e.Details, err = audit.ParseDetails(text)
			return err == nil && (ok || v == nil)
		}},
}

// index is one index of the table. Its first column is absent from most rows
// when sparse is set; a partial index then leaves those out.
type index struct {
	name    string
	columns string
	sparse  string // the column
	unique  bool
}

// indexes has one for each question: what happened then (which Purge asks, too),
// what this person did, what happened to this resource, in this tenant; which
// numbers are missing; and what is new.
var indexes = []index{
	{name: "time", columns: "occurred_at, id"},
	{name: "actor", columns: "actor_id, occurred_at, id", sparse: "actor_id"},
	{name: "resource", columns: "resource_id, occurred_at, id", sparse: "resource_id"},
	{name: "tenant", columns: "tenant, occurred_at, id", sparse: "tenant"},
	{name: "stream", columns: "stream, seq", unique: true},
	{name: "recorded", columns: "recorded_at, id"},
}

// columnNames is the list for an INSERT or a SELECT.
var columnNames = func() string {
	var list []string
	for _, c := range columns {
		list = append(list, c.name)
	}
	return strings.Join(list, ",")
}()

// columnAt has the place of each column.
var columnAt = func() map[string]int {
	places := make(map[string]int)
	for i, c := range columns {
		places[c.name] = i
	}
	return places
}()

// appendRow appends the values of a row to the parameters of an INSERT.
func (d dialect) appendRow(args []any, e *audit.Event, now time.Time) []any {
	for i := range columns {
		c := &columns[i]
		if c.text != nil {
			args = append(args, *c.text(e))
			continue
		}
		v := c.put(e, now)
		if t, ok := v.(time.Time); ok {
			v = d.time(t)
		}
		args = append(args, v)
	}
	return args
}

// RowError reports a row that cannot be read as an event.
type RowError struct {
	ID  string // as it is in the table
	Why string
}

func (e *RowError) Error() string {
	return fmt.Sprintf("gormsink: the row with id %q cannot be read: %s", e.ID, e.Why)
}

// eachRow calls do for the rows of a query of columnNames. It asks the driver for
// values of any type, so a row with a value of the wrong one has an err, a
// [*RowError], and an event of the other values, and is not the end of the query. The
// next row overwrites values.
func eachRow(db *gorm.DB, query string, args []any, do func(values []any, e audit.Event, err error)) error {
	rows, err := db.Raw(query, args...).Rows()
	if err != nil {
		return err
	}
	defer rows.Close()
	values, targets := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		if e, why := event(values); why != "" {
			do(values, e, &RowError{ID: fmt.Sprint(values[0]), Why: why})
		} else {
			do(values, e, nil)
		}
	}
	return rows.Err()
}

// found is a row of a page: an event, or the reason why it cannot be read, and some of
// its values.
type found struct {
	event             audit.Event
	err               error
	id, occurred, seq any
	recorded          time.Time
}

// find returns the rows of a query of columnNames. When the database fails in the
// middle it returns those before with the error.
func find(db *gorm.DB, query string, args []any) (page []found, err error) {
	err = eachRow(db, query, args, func(values []any, e audit.Event, err error) {
		r := found{event: e, err: err, id: values[0], occurred: values[1], seq: values[columnAt["seq"]]}
		r.recorded, _ = parseTime(values[columnAt["recorded_at"]])
		if err != nil {
			r.event = audit.Event{}
		}
		page = append(page, r)
	})
	return page, err
}

// event makes an event from those of a row's values that can be read, and returns the
// reason why one cannot. The reason quotes no value. In values, texts become strings.
func event(values []any) (e audit.Event, why string) {
	for i, v := range values {
		if b, ok := v.([]byte); ok {
			values[i] = string(b)
		}
	}
	for i, v := range values {
		c := &columns[i]
		if c.text == nil {
			if !c.get(&e, v) {
				why = c.name + " cannot be read"
			}
		} else if text, ok := v.(string); ok {
			*c.text(&e) = text
		} else {
			why = fmt.Sprintf("%s is a %T", c.name, v)
		}
	}
	return e, why
}

// parseID reads an id in the spelling that queries compare with, and no other.
func parseID(id *audit.ID, v any) bool {
	text, _ := v.(string)
	parsed, err := audit.ParseID(text)
	if err != nil || parsed.IsZero() || text != strings.ToLower(text) {
		return false
	}
	*id = parsed
	return true
}

func parseTime(v any) (time.Time, bool) {
	if t, ok := v.(time.Time); ok {
		return t.UTC(), true
	}
	n, ok := parseNumber(v)
	return time.UnixMicro(n).UTC(), ok
}

// parseNumber also reads numbers as the text protocol of MySQL has them.
func parseNumber(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		return n, err == nil
	}
	return 0, false
}
