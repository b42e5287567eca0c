// SPDX-License-Identifier: MIT

package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// Details is an immutable JSON object: later changes to the value that it was
// made from do not reach it. The zero Details has no fields. Details are
// comparable, and their text is what sinks store.
//
// Making Details allocates; passing them to Record does not.
type Details struct{ text string }

// Fields makes details from attributes, in their order. Groups become objects,
// times RFC 3339 in UTC with microseconds, durations a text such as "1.5s",
// errors their text. A value that cannot be JSON becomes a text that begins with
// "!ERROR". Repeated keys are kept.
func Fields(attrs ...slog.Attr) Details {
	if len(attrs) == 0 {
		return Details{}
	}
	return Details{text: string(appendGroup(make([]byte, 0, 32*len(attrs)), attrs))}
}

// JSON makes details from v as [json.Marshal] writes it; null gives no details. A
// v that is no object becomes {"value":v}. What cannot be JSON is replaced by a
// text that begins with "!ERROR" and names its type: in a map[string]any only the
// values that cannot be JSON, otherwise all of v.
func JSON(v any) Details {
	text, err := marshal(v)
	fields, isMap := v.(map[string]any)
	switch {
	case err != nil && isMap:
		var attrs []slog.Attr
		for _, key := range slices.Sorted(maps.Keys(fields)) {
			attrs = append(attrs, slog.Any(key, fields[key]))
		}
		return Fields(attrs...)
	case err != nil:
		return Fields(slog.String("!ERROR", unmarshalled(v, err)))
	case string(text) == "null":
		return Details{}
	case text[0] != '{':
		return Details{text: `{"value":` + string(text) + "}"}
	}
	return Details{text: string(text)}
}

// ParseDetails returns details with exactly this text of a JSON object: order,
// spaces and repeated keys are kept. An empty text gives no details. For any
// other text it returns [ErrInvalid].
func ParseDetails(text string) (Details, error) {
	if text == "" {
		return Details{}, nil
	}
	if !json.Valid([]byte(text)) || strings.TrimLeft(text, " \t\r\n")[0] != '{' || !utf8.ValidString(text) {
		return Details{}, fmt.Errorf("%w: details: no JSON object", ErrInvalid)
	}
	return Details{text: text}, nil
}

// IsZero reports whether there are no details.
func (d Details) IsZero() bool { return d == Details{} }

// Get returns the value of a field: nil, a bool, string, [json.Number],
// []any or map[string]any. Of repeated keys the last one counts. Each call
// decodes the whole object.
func (d Details) Get(key string) (value any, ok bool) {
	dec := json.NewDecoder(strings.NewReader(d.text))
	dec.UseNumber()
	var fields map[string]any
	if err := dec.Decode(&fields); err != nil {
		return nil, false
	}
	value, ok = fields[key]
	return value, ok
}

// String returns the JSON text, "" when there are no details.
func (d Details) String() string { return d.text }

// MarshalJSON returns the object, {} when there are no details.
func (d Details) MarshalJSON() ([]byte, error) {
	if d.text == "" {
		return []byte("{}"), nil
	}
	return []byte(d.text), nil
}

// UnmarshalJSON reads an object as [ParseDetails] does; null changes nothing.
func (d *Details) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	parsed, err := ParseDetails(string(text))
	if err == nil {
		*d = parsed
	}
	return err
}

func appendGroup(b []byte, attrs []slog.Attr) []byte {
	b = append(b, '{')
	b = appendAttrs(b, attrs)
	return append(b, '}')
}

func appendAttrs(b []byte, attrs []slog.Attr) []byte {
	for _, a := range attrs {
		v := a.Value.Resolve()
		if a.Key == "" && v.Kind() == slog.KindGroup { // slog's rule: its fields belong to the object around it
			b = appendAttrs(b, v.Group())
			continue
		}
		if a.Equal(slog.Attr{}) {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(appendQuoted(b, a.Key), ':')
		b = appendValue(b, v)
	}
	return b
}

func appendValue(b []byte, v slog.Value) []byte {
	switch v.Kind() {
	case slog.KindString:
		return appendQuoted(b, v.String())
	case slog.KindBool:
		return strconv.AppendBool(b, v.Bool())
	case slog.KindInt64:
		return strconv.AppendInt(b, v.Int64(), 10)
	case slog.KindUint64:
		return strconv.AppendUint(b, v.Uint64(), 10)
	case slog.KindFloat64:
		if f := v.Float64(); !math.IsInf(f, 0) && !math.IsNaN(f) {
			return strconv.AppendFloat(b, f, 'g', -1, 64)
		}
		return appendQuoted(b, v.String())
	case slog.KindDuration:
		return appendQuoted(b, v.Duration().String())
	case slog.KindTime:
		return appendQuoted(b, v.Time().UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano))
	case slog.KindGroup:
		return appendGroup(b, v.Group())
	}
	return appendAny(b, v.Any())
}

func appendAny(b []byte, v any) []byte {
	if err, ok := v.(error); ok {
		if _, own := v.(json.Marshaler); !own {
			return appendQuoted(b, errorText(err))
		}
	}
	text, err := marshal(v)
	if err != nil {
		return appendQuoted(b, "!ERROR: "+unmarshalled(v, err))
	}
	return append(b, text...)
}

// errorText contains a panic, such as that of a nil pointer in an error.
func errorText(err error) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("!ERROR: a %T has no text", err)
		}
	}()
	return err.Error()
}

// marshal turns a panic of v's own methods into an error.
func marshal(v any) (text []byte, err error) {
	defer func() {
		if recover() != nil {
			err = ErrInvalid
		}
	}()
	return json.Marshal(v)
}

// unmarshalled says what could not be marshalled, by type: other errors may quote
// values.
func unmarshalled(v any, err error) string {
	text := fmt.Sprintf("a %T cannot be JSON", v)
	if part, ok := errors.AsType[*json.UnsupportedTypeError](err); ok && part.Type != reflect.TypeOf(v) {
		text += fmt.Sprintf(": it has a %s", part.Type)
	}
	return text
}

// appendQuoted appends s as a JSON string. NUL and invalid UTF-8, which databases
// refuse, become U+FFFD.
func appendQuoted(b []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range s { // invalid UTF-8 ranges as U+FFFD
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == 0:
			b = utf8.AppendRune(b, utf8.RuneError)
		case r < ' ' || r == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hexDigits[r>>4], hexDigits[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

// safe replaces what databases refuse, or store as JSON and then fail to read as
// text: invalid UTF-8, \u0000 and lone surrogates become U+FFFD.
func (d Details) safe() Details {
	if !utf8.ValidString(d.text) {
		d.text = strings.ToValidUTF8(d.text, "\uFFFD")
	}
	if !strings.Contains(d.text, `\u`) {
		return d
	}
	var changed []byte
	for i := 0; i < len(d.text); i++ {
		if d.text[i] != '\\' {
			continue
		}
		switch r := escaped(d.text[i:]); {
		case utf16.IsSurrogate(r) && utf16.DecodeRune(r, escaped(d.text[i+6:])) != utf8.RuneError:
			i += 11
		case r == 0 || utf16.IsSurrogate(r):
			if changed == nil {
				changed = []byte(d.text)
			}
			copy(changed[i:], `\ufffd`)
			i += 5
		default:
			i++ // the byte after a backslash begins no escape
		}
	}
	if changed != nil {
		d.text = string(changed)
	}
	return d
}

// escaped returns the number of an escape such as \u0000 at the beginning of
// valid JSON text, -1 for anything else.
func escaped(text string) rune {
	if !strings.HasPrefix(text, `\u`) {
		return -1
	}
	r, _ := strconv.ParseUint(text[2:6], 16, 16)
	return rune(r)
}
