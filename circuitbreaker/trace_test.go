// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/holdfast-go/holdfast/internal/test/spantest"
)

func TestEachCallIsASpan(t *testing.T) {
	var seen spantest.Recorder
	cfg := steady()
	cfg.Trace = seen.Trace
	b := mustNew(t, cfg)
	open := mustNew(t, cfg)
	open.ForceOpen(errDown)
	opened := open.Do(t.Context(), func(context.Context) error { return nil })
	seen.Take()
	with := func(err error) func(context.Context) (int, error) {
		return func(ctx context.Context) (int, error) {
			if got := spantest.Within(ctx); got != "circuitbreaker.call" {
				t.Errorf("the function runs within %q", got)
			}
			return 0, err
		}
	}
	fallback := func(ctx context.Context, _ error) (int, error) {
		if got := spantest.Within(ctx); got != "" {
			t.Errorf("the fallback runs within %q", got)
		}
		return 0, nil
	}
	bad := errors.New("bad request")
	for name, c := range map[string]struct {
		call func(context.Context)
		want error
	}{
		"a success":      {func(ctx context.Context) { Do(ctx, b, with(nil)) }, nil},
		"a failure":      {func(ctx context.Context) { Do(ctx, b, with(errDown)) }, errDown},
		"a fallback":     {func(ctx context.Context) { DoOr(ctx, b, with(errDown), fallback) }, errDown},
		"an ignored one": {func(ctx context.Context) { Do(ctx, b, with(Ignore(bad))) }, bad},
		"a panic": {func(ctx context.Context) {
			defer func() { _ = recover() }()
			Do(ctx, b, func(context.Context) (int, error) { panic(1) })
		}, errNoReturn},
		"a rejection":    {func(ctx context.Context) { open.Do(ctx, func(context.Context) error { return nil }) }, opened},
		"and a fallback": {func(ctx context.Context) { DoOr(ctx, open, with(nil), fallback) }, opened},
		"without a result": {func(ctx context.Context) {
			b.Do(ctx, func(ctx context.Context) error { _, err := with(nil)(ctx); return err })
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b.Reset()
			c.call(t.Context())
			want := []spantest.Span{{Op: "circuitbreaker.call", Name: "pms", Ends: 1, Err: c.want}}
			if got := seen.Take(); !reflect.DeepEqual(got, want) {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
}

func TestAPermitIsNoSpan(t *testing.T) {
	var seen spantest.Recorder
	cfg := steady()
	cfg.Trace = seen.Trace
	b := mustNew(t, cfg)
	p, err := b.Allow()
	if err != nil {
		t.Fatal(err)
	}
	p.Success()
	b.ForceOpen(nil)
	if _, err := b.Allow(); !errors.Is(err, ErrOpen) {
		t.Fatal(err)
	}
	if got := seen.Take(); got != nil {
		t.Errorf("%+v", got)
	}
}

func TestBreakersOfAGroupAreTracedUnderTheirNames(t *testing.T) {
	var seen spantest.Recorder
	cfg := steady()
	cfg.Trace = seen.Trace
	g, err := NewGroup(GroupConfig{Breaker: cfg})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Update(Config{ConsecutiveFailures: 7}); err != nil { // as from a file, which has no Trace
		t.Fatal(err)
	}
	_ = call(g.Get("eu"), nil)
	if got := seen.Take(); len(got) != 1 || got[0].Name != "pms/eu" {
		t.Errorf("%+v", got)
	}
}

func TestATraceThatPanicsDecidesNothing(t *testing.T) {
	cfg := steady()
	cfg.Trace = func(context.Context, string, string) (context.Context, func(error)) { panic("boom") }
	b := mustNew(t, cfg)
	if err := call(b, nil); err != nil {
		t.Error(err)
	}
	b.ForceOpen(nil)
	if err := call(b, nil); !errors.Is(err, ErrOpen) {
		t.Error(err)
	}
	if got := b.Stats().ObserverPanics; got != 2 {
		t.Errorf("%d panics counted, want 2", got)
	}
}
