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

// heap returns what f adds to the heap per each of the n things that it makes.
func heap(n int, f func() any) uint64 {
	used := func() uint64 {
		runtime.GC()
		runtime.GC() // what the first one put off, such as pools
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := used()
	made := f()
	after := used()
	runtime.KeepAlive(made)
	return (after - min(before, after)) / uint64(n)
}

// The sizes are those of 64-bit systems; on others they are less.
func TestAnIdleBreakerTakesLessThanAKilobyte(t *testing.T) {
	const n, most = 10_000, 768
	list := make([]*Breaker, n)
	for name, use := range map[string]func(*Breaker){
		"never called": func(*Breaker) {},
		"healthy":      func(b *Breaker) { times(3, func() { call(b, nil) }) },
	} {
		each := heap(n, func() any {
			for i := range list {
				list[i] = mustNew(t, Config{Name: "pms"})
				use(list[i])
			}
			return list
		})
		if clear(list); each > most {
			t.Errorf("%s: a breaker takes %d bytes, more than %d", name, each, most)
		} else {
			t.Logf("%s: a breaker takes %d bytes", name, each)
		}
	}
}

func TestTenThousandKeysTakeLessThanEightMegabytes(t *testing.T) {
	const n, most = 10_000, 8 << 20
	each := heap(n, func() any {
		g, err := NewGroup(GroupConfig{Breaker: Config{Name: "hosts"}, Max: n})
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			call(g.Get(string(rune('a'+i%26))+time.Duration(i).String()), nil)
		}
		return g
	})
	if each*n > most {
		t.Errorf("a keyed breaker takes %d bytes, its group included", each)
	} else {
		t.Logf("a keyed breaker takes %d bytes, its group included", each)
	}
}
