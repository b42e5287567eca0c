// SPDX-License-Identifier: MIT

package session

import (
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"sync"
	"weak"
)

// kind is which type a manager stores where. Two types of one version under one
// name of one store would read each other's sessions as their own.
type kind struct {
	store   Store
	name    string
	version int
	data    reflect.Type

	once sync.Once
	err  error
}

// writers has the kinds of this process that have written, by name.
var writers = struct {
	sync.Mutex
	kinds map[string][]weak.Pointer[kind]
}{kinds: map[string][]weak.Pointer[kind]{}}

func kindOf[T any](store Store, cfg Config[T]) *kind {
	return &kind{store: store, name: cfg.Name, version: cfg.Version, data: reflect.TypeFor[T]()}
}

// claim enters k among the writers with its first call, or returns why it must
// not write.
func (k *kind) claim() error {
	k.once.Do(func() {
		writers.Lock()
		defer writers.Unlock()
		others := slices.DeleteFunc(writers.kinds[k.name], func(w weak.Pointer[kind]) bool { return w.Value() == nil })
		for _, w := range others {
			if other := w.Value(); other != nil && k.data != other.data && k.version == other.version && k.shares(other) {
				k.err = invalid("%v and %v are both stored as %q with Config.Version %d", other.data, k.data, k.name, k.version)
				return
			}
		}
		writers.kinds[k.name] = append(others, weak.Make(k))
	})
	return k.err
}

// shares reports whether two managers have the same sessions, as far as can be seen.
func (k *kind) shares(other *kind) bool {
	return k == other || k.name == other.name && reflect.ValueOf(k.store).Comparable() && k.store == other.store
}

var marshalers = []reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler]()}

// unstored names a field that JSON would lose because it is unexported; "" when
// there is none. Types that marshal themselves are trusted.
func unstored(t reflect.Type, seen map[reflect.Type]bool) string {
	if seen[t] || slices.ContainsFunc(marshalers, func(m reflect.Type) bool {
		return t.Implements(m) || reflect.PointerTo(t).Implements(m)
	}) {
		return ""
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return unstored(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			embedded := f.Anonymous && f.Type.Kind() == reflect.Struct // its exported fields are stored
			switch {
			case f.Tag.Get("json") == "-":
			case !f.IsExported() && !embedded:
				return t.String() + "." + f.Name
			default:
				if lost := unstored(f.Type, seen); lost != "" {
					return lost
				}
			}
		}
	}
	return ""
}
