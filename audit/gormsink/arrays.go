// SPDX-License-Identifier: MIT

package gormsink

import (
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/audit"
)

// PostgreSQL gets a batch as one array for each column, written as text, which
// every driver can send. So one statement serves any number of rows.

// types of the columns.
var types = [...]string{
	"uuid", "timestamptz", "timestamptz", "text", "text", "text",
	"text", "text", "text", "text", "text", "text",
	"text", "text", "text", "text", "json",
}

func insertArrays(table string) string {
	return "INSERT INTO " + table + " (" + strings.Join(columns, ",") + ") SELECT * FROM unnest(?::" +
		strings.Join(types[:], "[],?::") + "[])"
}

// arrays returns the parameters of insertArrays.
func arrays(rows []audit.Event, now time.Time) []any {
	var list [len(types)]array
	written := timestamp(now)
	for i := range rows {
		e := &rows[i]
		for column, text := range [...]string{
			e.ID.String(), timestamp(e.Time), written, e.Type, e.Outcome.String(), e.Reason,
			e.Actor.Type, e.Actor.ID, e.Actor.Name, e.Resource.Type, e.Resource.ID, e.Resource.Name,
			e.Tenant, e.Session, e.Correlation, e.TraceID,
		} {
			list[column].add(text)
		}
		list[len(list)-1].addOrNull(e.Details.String())
	}
	args := make([]any, len(list))
	for i := range list {
		args[i] = list[i].String()
	}
	return args
}

func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000000Z") }

// array is a literal such as {"a","b",NULL}.
type array struct{ text []byte }

func (a *array) String() string { return string(append(a.text, '}')) }

func (a *array) next() {
	if len(a.text) == 0 {
		a.text = append(a.text, '{')
	} else {
		a.text = append(a.text, ',')
	}
}

func (a *array) add(text string) {
	a.next()
	a.text = append(a.text, '"')
	for {
		i := strings.IndexAny(text, `"\\`)
		if i < 0 {
			break
		}
		a.text = append(append(a.text, text[:i]...), '\\', text[i])
		text = text[i+1:]
	}
	a.text = append(append(a.text, text...), '"')
}

func (a *array) addOrNull(text string) {
	if text == "" {
		a.next()
		a.text = append(a.text, "NULL"...)
		return
	}
	a.add(text)
}
