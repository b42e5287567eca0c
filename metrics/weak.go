// SPDX-License-Identifier: MIT

package metrics

import (
	"reflect"
	"unsafe"
	"weak"
)

// weakly returns a function that returns v for as long as the program holds it,
// and an id that is equal for the same v only, even when v was collected and
// another has its address. T is an interface; the pointer in it is held weakly,
// and a value that is no pointer is held for good.
//
// The type behind the interface is not known here (a session.Manager is
// generic), while a weak.Pointer wants it. So the pointer is kept as one to
// the first byte of its object, which keeps and loses the same object, and
// gets its type back from reflection. That needs an object of at least one
// byte, which is the one condition beside being a pointer.
func weakly[T any](v T) (id any, get func() (T, bool)) {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.Type().Elem().Size() == 0 {
		return v, func() (T, bool) { return v, true }
	}
	elem, ref := rv.Type().Elem(), weak.Make((*byte)(rv.UnsafePointer()))
	return ref, func() (back T, ok bool) {
		p := ref.Value()
		if p == nil {
			return back, false
		}
		back, ok = reflect.NewAt(elem, unsafe.Pointer(p)).Interface().(T)
		return back, ok
	}
}
