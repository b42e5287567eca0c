// SPDX-License-Identifier: MIT

// Package configerr finds and words what is wrong with a configuration, in one
// way for all packages.
package configerr

import (
	"errors"
	"fmt"
	"reflect"
)

// Problems collects the contradictions of one configuration, so that one error
// names them all. The zero Problems is not usable; see [Collect].
type Problems struct {
	problem func(field string, value any, want string) error
	list    []error
}

// Collect returns an empty collection. problem makes the caller's own error of
// a field, the value it has, and what is wanted instead; see [Text].
func Collect(problem func(field string, value any, want string) error) *Problems {
	return &Problems{problem: problem}
}

// Want records a problem of field unless ok.
func (p *Problems) Want(ok bool, field string, value any, want string) {
	if !ok {
		p.list = append(p.list, p.problem(field, value, want))
	}
}

// Add records err, if there is one.
func (p *Problems) Add(err error) {
	if err != nil {
		p.list = append(p.list, err)
	}
}

// Err joins what was recorded, in order; nil when nothing was.
func (p *Problems) Err() error { return errors.Join(p.list...) }

// Default sets *v to d if *v is zero.
func Default[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// IsNil reports whether v is nil, or an interface that holds a nil pointer or
// function. Calling a method on either would fail inside the callee.
func IsNil(v any) bool {
	if v == nil {
		return true
	}
	r := reflect.ValueOf(v)
	return (r.Kind() == reflect.Pointer || r.Kind() == reflect.Func) && r.IsNil()
}

// most bounds how many bytes of a value a text shows.
const most = 64

// Text says that a field, such as "Config.TTL", has a value and should have
// another. want completes "want …". A string is quoted, since it may hold
// control characters.
func Text(pkg, field string, value any, want string) string {
	text := "nil"
	if s, ok := value.(string); ok {
		shown, rest := cut(s)
		text = fmt.Sprintf("%q%s", shown, rest)
	} else if value != nil {
		shown, rest := cut(fmt.Sprintf("%+v", value))
		text = shown + rest
	}
	return fmt.Sprintf("%s: %s is %s, want %s", pkg, field, text, want)
}

// cut returns what is shown of a text, and an ellipsis for the rest.
func cut(text string) (shown, rest string) {
	if len(text) > most {
		return text[:most], "…"
	}
	return text, ""
}
