// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func mustGroup(t testing.TB, limit int, cfg Config) *Group {
	t.Helper()
	cfg.Name = "hosts"
	g, err := NewGroup(GroupConfig{Breaker: cfg, Max: limit})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func keysOf(g *Group) []string { return slices.Sorted(maps.Keys(maps.Collect(g.All()))) }

func TestEachKeyHasItsOwnBreaker(t *testing.T) {
	g := mustGroup(t, 0, steady())
	a, b := g.Get("a"), g.Get("b")
	if a == b || a != g.Get("a") || a.Name() != "hosts/a" {
		t.Errorf("got %q and %q", a.Name(), b.Name())
	}
	a.Trip(nil)
	defer a.Reset()
	wantState(t, b, Closed)
	if got := keysOf(g); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("got %q", got)
	}
	for range g.All() {
		break // stopping early is allowed
	}
}

func TestLookingUpAKeyAllocatesNothing(t *testing.T) {
	g := mustGroup(t, 0, steady())
	key := fmt.Sprint("host", 1)
	g.Get(key)
	if n := testing.AllocsPerRun(100, func() { g.Get(key) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestConcurrentFirstCallersShareOneBreaker(t *testing.T) {
	g := mustGroup(t, 0, steady())
	var got sync.Map
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { got.Store(g.Get("a"), true) })
	}
	wg.Wait()
	n := 0
	got.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d breakers for one key", n)
	}
	if b, _ := g.add("a"); b != g.Get("a") { // as one who looked before it was there
		t.Error("a second breaker for one key")
	}
}

func TestAtTheCapOnlyIdleBlankBreakersGo(t *testing.T) {
	for name, rate := range map[string]float64{"without a window": 0, "with a window": 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				seen := new(events)
				cfg := steady()
				cfg.FailureRate, cfg.Observer, cfg.Probes.Timeout = rate, seen, 20*time.Second
				g := mustGroup(t, 4, cfg)
				call(g.Get("idle"), nil)
				call(g.Get("failing"), errDown)
				g.Get("forced").ForceOpen(nil)
				flapping := g.Get("flapping")
				flapping.Trip(nil)
				time.Sleep(10 * time.Second)
				synctest.Wait()
				call(flapping, nil) // closed again, but the attempt counts
				time.Sleep(15 * time.Second)
				call(g.Get("failing"), nil)
				call(g.Get("failing"), errDown)

				call(g.Get("new"), nil)
				if got := keysOf(g); !slices.Equal(got, []string{"failing", "flapping", "forced", "new"}) {
					t.Fatalf("got %q", got)
				}
				retired := slices.DeleteFunc(seen.all(), func(e Event) bool { return e.Op != OpRetired })
				if len(retired) != 1 || retired[0].Source.Name() != "hosts/idle" || retired[0].Before.Total.Success != 1 {
					t.Errorf("retired %+v", retired)
				}
			})
		})
	}
}

func TestAtTheCapNewKeysShareTheOverflowBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := mustGroup(t, 2, steady())
		g.Get("a").ForceOpen(nil)
		g.Get("b").ForceOpen(nil)
		over := g.Get("c")
		if over.Name() != "hosts/_overflow" || g.Get("d") != over {
			t.Errorf("got %q", over.Name())
		}
		if got := keysOf(g); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("got %q", got)
		}
		g.Get("a").Reset()
		g.Get("c") // the hand sees that a was used,
		time.Sleep(30 * time.Second)
		if c := g.Get("c"); c == over {
			t.Error("a is idle and blank, but c found no place")
		}
	})
}

func TestABusyBreakerKeepsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := mustGroup(t, 3, steady())
		busy := g.Get("busy")
		for i := range 100 {
			if g.Get("busy") != busy {
				t.Fatal("a breaker in use was evicted")
			}
			g.Get(fmt.Sprint("guest", i))
			time.Sleep(10 * time.Second)
		}
	})
}

func TestACallInFlightKeepsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := mustGroup(t, 2, steady())
		for range 3 {
			permit, err := g.Get("slow").Allow()
			if err != nil {
				t.Fatal(err)
			}
			for i := range 29 {
				g.Get(fmt.Sprint("guest", i))
				time.Sleep(time.Second)
			}
			permit.Failure()
		}
		wantState(t, g.Get("slow"), Open)
	})
}

func TestABreakerThatLostItsPlaceStillWorksInSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := new(events)
		cfg := steady()
		cfg.Observer = seen
		g := mustGroup(t, 1, cfg)
		old := g.Get("a")
		time.Sleep(30 * time.Second)
		g.Get("b")
		times(3, func() { call(old, errDown) })
		wantState(t, old, Open)
		for _, e := range seen.all() {
			if e.Op == OpChanged {
				t.Errorf("an event to %v after OpRetired", e.To)
			}
		}
		if again := g.Get("a"); again == old {
			t.Error("the group still knows it")
		}
	})
}

func TestAGroupIsBoundedWhateverKeysComeIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := mustGroup(t, 50, Config{})
		tripped := g.Get("tripped")
		tripped.ForceOpen(nil)
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := range long(2000, 12) {
					call(g.Get(fmt.Sprint(w, "/", i)), nil)
					if i%100 == 0 {
						time.Sleep(5 * time.Second)
					}
				}
			})
		}
		wg.Wait()
		if n := len(keysOf(g)); n != 50 || len(g.ring) != 50 {
			t.Errorf("%d keys, %d places", n, len(g.ring))
		}
		if g.Get("tripped") != tripped {
			t.Error("a tripped breaker was forgotten")
		}
	})
}

func TestAWindowOfCallsDoesNotKeepAnIdleBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := mustGroup(t, 1, Config{FailureRate: 1, Window: Window{Calls: 10}})
		call(g.Get("a"), nil)
		time.Sleep(30 * time.Second)
		b := g.Get("b")
		if b == g.overflow {
			t.Error("a window of successes kept its place")
		}
		call(b, errDown)
		call(b, nil)
		time.Sleep(30 * time.Second)
		if c := g.Get("c"); c != g.overflow {
			t.Error("a failure in the window was forgotten")
		}
	})
}

func TestGroupConfig(t *testing.T) {
	_, err := NewGroup(GroupConfig{Max: -1})
	if !errors.Is(err, ErrInvalid) || err.Error() != "circuitbreaker: Config.Name is \"\", want valid UTF-8 without NUL, not empty\ncircuitbreaker: GroupConfig.Max is -1, want at least 1" {
		t.Errorf("got %v", err)
	}
}
