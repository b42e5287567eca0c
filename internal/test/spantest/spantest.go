// SPDX-License-Identifier: MIT

// Package spantest records what a Config.Trace of the cores gets.
package spantest

import (
	"context"
	"sync"
)

// Span is one operation.
type Span struct {
	Op, Name string
	Within   string // op of the span that it began in; "" for none
	Ends     int    // how often it ended
	Err      error  // that it ended with
}

// Recorder keeps spans. Its Trace is a Config.Trace.
type Recorder struct {
	mu   sync.Mutex
	list []*Span
}

type key struct{}

// Within returns the op of the innermost span that ctx is in.
func Within(ctx context.Context) string {
	s, _ := ctx.Value(key{}).(string)
	return s
}

// Trace begins a span.
func (r *Recorder) Trace(ctx context.Context, op, name string) (context.Context, func(error)) {
	s := &Span{Op: op, Name: name, Within: Within(ctx)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, s)
	return context.WithValue(ctx, key{}, op), func(err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		s.Ends++
		s.Err = err
	}
}

// Take returns the spans since the last Take, in the order of their beginning.
func (r *Recorder) Take() []Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []Span
	for _, s := range r.list {
		all = append(all, *s)
	}
	r.list = nil
	return all
}
