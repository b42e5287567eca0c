// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

func TestCallsAndRejectionsAllocateNothing(t *testing.T) {
	ctx := context.Background()
	ok := func(context.Context) (int, error) { return 1, nil }
	fail := func(context.Context) (int, error) { return 0, errDown }
	for name, cfg := range map[string]Config{
		"in a row":  {ConsecutiveFailures: 1 << 30},
		"rate":      {FailureRate: 1},
		"last":      {FailureRate: 1, Window: Window{Calls: 100}},
		"slow":      {SlowRate: 1, SlowCall: time.Hour},
		"own rule":  {TripWhen: func(Counts) bool { return false }},
		"all rules": {ConsecutiveFailures: 1 << 30, FailureRate: 1, SlowRate: 1, SlowCall: time.Hour, TripWhen: func(Counts) bool { return false }},
	} {
		cfg.Name = "pms"
		closed, open := mustNew(t, cfg), mustNew(t, cfg)
		call(closed, nil)
		open.ForceOpen(errDown)
		for what, f := range map[string]func(){
			"Do[T]":         func() { Do(ctx, closed, ok) },
			"Do[T] failing": func() { Do(ctx, closed, fail); Do(ctx, closed, ok) },
			"Do":            func() { call(closed, nil) },
			"Allow, Done":   func() { p, _ := closed.Allow(); p.Done(ctx, nil) },
			"Allow, Ignore": func() { p, _ := closed.Allow(); p.Ignore() },
			"a rejection":   func() { Do(ctx, open, ok) },
			"State":         func() { closed.State() },
			"Stats":         func() { closed.Stats() },
		} {
			if n := testing.AllocsPerRun(100, f); n != 0 {
				t.Errorf("%s, %s: %v allocations", name, what, n)
			}
		}
	}
}

func TestRejectionsBesideAProbeAllocateNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mustNew(t, steady())
		bring(b, HalfOpen)
		mustAllow(t, b)
		if n := testing.AllocsPerRun(100, func() { call(b, nil) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

func TestAKeyedBreakerIsSmall(t *testing.T) {
	const n = 10_000
	g, err := NewGroup(GroupConfig{Breaker: Config{Name: "hosts"}, Max: n})
	if err != nil {
		t.Fatal(err)
	}
	keys := make([]string, n)
	for i := range keys {
		keys[i] = string(rune('a'+i%26)) + time.Duration(i).String()
	}
	used := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := used()
	for _, k := range keys {
		call(g.Get(k), nil)
	}
	if each := (used() - before) / n; each > 800 {
		t.Errorf("a keyed breaker takes %d bytes, group included", each)
	} else {
		t.Logf("a keyed breaker takes %d bytes, group included", each)
	}
	runtime.KeepAlive(g)
}
