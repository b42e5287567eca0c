// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/internal/configerr"
)

// UnmarshalJSON sets the fields that a JSON object names, in any case, and leaves
// the others. A duration is a text such as "2s", a state one such as
// "forced_open". Every field that Config does not have, or that is a function or
// an observer, and every value of the wrong kind is a [*ConfigError]; then nothing
// is set.
func (cfg *Config) UnmarshalJSON(data []byte) error { return fill(cfg, "", data) }

// UnmarshalJSON does for a GroupConfig what [Config.UnmarshalJSON] does.
func (cfg *GroupConfig) UnmarshalJSON(data []byte) error { return fill(cfg, "GroupConfig.", data) }

func fill[T any](cfg *T, path string, data []byte) error {
	next := *cfg
	p := configerr.Collect(problem)
	fillStruct(p, path, reflect.ValueOf(&next).Elem(), data)
	if err := p.Err(); err != nil {
		return err
	}
	*cfg = next
	return nil
}

func fillStruct(p *configerr.Problems, path string, to reflect.Value, data []byte) {
	var fields map[string]json.RawMessage
	err := json.Unmarshal(data, &fields)
	p.Want(err == nil, path+"JSON", string(data), "an object")
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		field := to.FieldByNameFunc(func(s string) bool { return strings.EqualFold(s, name) })
		value := fields[name]
		switch {
		case !field.IsValid(), field.Kind() == reflect.Func, field.Kind() == reflect.Interface:
			p.Want(false, path+name, string(value), "a field that JSON can set")
		case field.Kind() == reflect.Struct:
			fillStruct(p, path+name+".", field, value)
		case field.Type() == reflect.TypeFor[time.Duration]():
			var text string
			d, err := time.Duration(0), json.Unmarshal(value, &text)
			if err == nil {
				d, err = time.ParseDuration(text)
			}
			p.Want(err == nil, path+name, string(value), `a duration such as "2s"`)
			field.SetInt(int64(d))
		default:
			err := json.Unmarshal(value, field.Addr().Interface())
			p.Want(err == nil, path+name, string(value), "a JSON value for "+field.Type().String())
		}
	}
}
