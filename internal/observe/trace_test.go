// SPDX-License-Identifier: MIT

package observe_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/holdfast-go/holdfast/internal/observe"
)

type key struct{}

func TestASpanHasItsContextAndEndsWithTheError(t *testing.T) {
	var panics atomic.Uint64
	var got []any
	ctx, end := observe.Span(t.Context(), &panics, func(ctx context.Context, op, name string) (context.Context, func(error)) {
		got = append(got, op, name)
		return context.WithValue(ctx, key{}, "inner"), func(err error) { got = append(got, err) }
	}, "lock", "acquire", "rooms")
	late := errors.New("late")
	end(late)
	if len(got) != 3 || got[0] != "lock.acquire" || got[1] != "rooms" || got[2] != late || ctx.Value(key{}) != "inner" || panics.Load() != 0 {
		t.Errorf("%v, in %v", got, ctx)
	}
}

func TestATraceThatMisbehavesChangesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		trace  observe.Trace
		panics uint64
	}{
		"nil":             {nil, 0},
		"panics":          {func(context.Context, string, string) (context.Context, func(error)) { panic("boom") }, 1},
		"returns nothing": {func(context.Context, string, string) (context.Context, func(error)) { return nil, nil }, 0},
		"panics at the end": {func(ctx context.Context, _, _ string) (context.Context, func(error)) {
			return ctx, func(error) { panic("boom") }
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var panics atomic.Uint64
			ctx, end := observe.Span(t.Context(), &panics, c.trace, "core", "op", "name")
			end(nil)
			if ctx != t.Context() || panics.Load() != c.panics {
				t.Errorf("context %v, %d panics", ctx, panics.Load())
			}
		})
	}
}

func TestNoTraceAllocatesNothing(t *testing.T) {
	var panics atomic.Uint64
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() { _, end := observe.Span(ctx, &panics, nil, "core", "op", "name"); end(nil) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
