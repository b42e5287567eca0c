// SPDX-License-Identifier: MIT

package gormsink

import (
	"database/sql"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/audit"
)

// columns of the table, in the order of appendRow and readRow.
var columns = []string{
	"id", "occurred_at", "recorded_at", "type", "outcome", "reason",
	"actor_type", "actor_id", "actor_name", "resource_type", "resource_id", "resource_name",
	"tenant", "session_id", "correlation_id", "trace_id", "details",
}

func (d dialect) appendRow(args []any, e *audit.Event, now time.Time) []any {
	var details any
	if !e.Details.IsZero() {
		details = e.Details.String()
	}
	return append(args,
		e.ID.String(), d.time(e.Time), d.time(now), e.Type, e.Outcome.String(), e.Reason,
		e.Actor.Type, e.Actor.ID, e.Actor.Name, e.Resource.Type, e.Resource.ID, e.Resource.Name,
		e.Tenant, e.Session, e.Correlation, e.TraceID, details)
}

// RowError reports a row that cannot be read as an event.
type RowError struct {
	ID  string // as it is in the table
	Why string
}

func (e *RowError) Error() string {
	return fmt.Sprintf("gormsink: the row with id %q cannot be read: %s", e.ID, e.Why)
}

// place is the position of a row in the order of the trail, as the database gave
// it. The next page begins after it, also when the row cannot be read.
type place struct{ occurred, id any }

// readRow reads the current row. It asks the driver for values of any type, so
// a value of the wrong one is a [*RowError] and not the end of the query.
func readRow(rows *sql.Rows) (place, audit.Event, error) {
	values := make([]any, len(columns))
	targets := make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	if err := rows.Scan(targets...); err != nil {
		return place{}, audit.Event{}, err
	}
	if b, ok := values[0].([]byte); ok {
		values[0] = string(b)
	}
	at := place{occurred: values[1], id: values[0]}
	e, why := event(values)
	if why != "" {
		return at, audit.Event{}, &RowError{ID: fmt.Sprint(values[0]), Why: why}
	}
	return at, e, nil
}

// event makes an event from a row's values, or returns the reason why it cannot.
// The reason quotes no value.
func event(values []any) (e audit.Event, why string) {
	texts := make([]string, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case string:
			texts[i] = v
		case []byte:
			texts[i] = string(v)
		default:
			if i > 2 && (v != nil || columns[i] != "details") {
				return e, fmt.Sprintf("%s is a %T", columns[i], v)
			}
		}
	}
	var err error
	if e.ID, err = audit.ParseID(texts[0]); err != nil {
		return e, "the id is no UUID"
	}
	switch v := values[1].(type) {
	case time.Time:
		e.Time = v.UTC()
	case int64:
		e.Time = time.UnixMicro(v).UTC()
	default:
		return e, fmt.Sprintf("occurred_at is a %T", v)
	}
	var ok bool
	if e.Outcome, ok = audit.ParseOutcome(texts[4]); !ok {
		return e, "unknown outcome"
	}
	if e.Details, err = audit.ParseDetails(texts[16]); err != nil {
		return e, "details are no JSON object"
	}
	e.Type, e.Reason = texts[3], texts[5]
	e.Actor = audit.Entity{Type: texts[6], ID: texts[7], Name: texts[8]}
	e.Resource = audit.Entity{Type: texts[9], ID: texts[10], Name: texts[11]}
	e.Tenant, e.Session, e.Correlation, e.TraceID = texts[12], texts[13], texts[14], texts[15]
	return e, ""
}
