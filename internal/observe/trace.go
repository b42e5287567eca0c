// SPDX-License-Identifier: MIT

package observe

import (
	"context"
	"sync/atomic"
)

// Trace is the type of each core's Config.Trace: it begins an operation of what
// has the name, and returns the context that the operation goes on with and what
// is called with its error when it ends.
type Trace = func(ctx context.Context, op, name string) (context.Context, func(error))

// Span begins an operation of a core. It returns ctx itself, and a function that does
// nothing, when trace is nil, panics or returns nil. Panics are counted, too, for
// the function that ends the operation.
func Span(ctx context.Context, panics *atomic.Uint64, trace Trace, core, op, name string) (context.Context, func(error)) {
	if trace == nil {
		return ctx, untraced
	}
	inner, end := ctx, untraced
	Contain(panics, func() {
		if c, f := trace(ctx, core+"."+op, name); c != nil && f != nil {
			inner, end = c, f
		}
	})
	return inner, func(err error) { Contain(panics, func() { end(err) }) }
}

func untraced(error) {}
