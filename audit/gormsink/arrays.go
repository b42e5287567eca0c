// SPDX-License-Identifier: MIT

package gormsink

import (
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/audit"
)

// PostgreSQL gets a batch as one array for each column, written as text, which
// every driver can send. So one statement serves any number of rows.

func (d dialect) insertArrays(table string) string {
	list := ""
	for i := range columns {
		if i > 0 {
			list += ","
		}
		list += "?::" + d.types[columns[i].kind] + "[]"
	}
	return "INSERT INTO " + table + " (" + columnNames + ") SELECT * FROM unnest(" + list + ")" + d.onConflict
}

// arrays returns the parameters of insertArrays.
func arrays(rows []audit.Event, now time.Time) []any {
	args := make([]any, len(columns))
	for i := range columns {
		var list array
		for r := range rows {
			if c := &columns[i]; c.text != nil {
				list.add(*c.text(&rows[r]))
			} else {
				list.addValue(c.put(&rows[r], now))
			}
		}
		args[i] = list.String()
	}
	return args
}

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

func (a *array) addValue(v any) {
	switch v := v.(type) {
	case nil:
		a.next()
		a.text = append(a.text, "NULL"...)
	case string:
		a.add(v)
	case int64:
		a.next()
		a.text = strconv.AppendInt(a.text, v, 10)
	case time.Time:
		a.next()
		a.text = v.UTC().AppendFormat(a.text, `"2006-01-02 15:04:05.000000Z"`)
	}
}
