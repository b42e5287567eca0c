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
	if b, _ := g.add("a", 0); b != g.Get("a") { // as one who looked before it was there
		t.Error("a second breaker for one key")
	}
}

// failingGroup is a group of four with a key for each thing that a breaker
// remembers; none was asked for since.
func failingGroup(t *testing.T, seen Observer) *Group {
	t.Helper()
	cfg := steady()
	cfg.Name, cfg.FailureRate, cfg.Observer = "hosts", 1, seen
	g, err := NewGroup(GroupConfig{Breaker: cfg, Max: 4, IdleAfter: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	call(g.Get("healthy"), nil)
	call(g.Get("failing"), errDown)
	g.Get("open").TripFor(time.Hour, errDown)
	g.Get("half-open").Probe()
	return g
}

func TestAnIdleKeyLosesItsPlaceWhateverItRemembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := new(events)
		g := failingGroup(t, seen)
		time.Sleep(time.Minute - time.Second)
		if g.Get("early").Name() != "hosts/_overflow" {
			t.Error("a key lost its place before it was idle")
		}
		time.Sleep(time.Second)
		for i := range 4 {
			call(g.Get(fmt.Sprint("new", i)), errDown)
		}
		if got := keysOf(g); !slices.Equal(got, []string{"new0", "new1", "new2", "new3"}) {
			t.Errorf("got %q", got)
		}
		retired := map[string]uint64{}
		for _, e := range seen.all() {
			if e.Op == OpRetired {
				retired[e.Source.Name()] = e.Before.Total.Failure + e.Before.Total.Success
			}
		}
		if want := map[string]uint64{"hosts/healthy": 1, "hosts/failing": 1, "hosts/open": 0, "hosts/half-open": 0}; !maps.Equal(retired, want) {
			t.Errorf("retired %v, want %v", retired, want)
		}
	})
}

func TestAKeyThatIsForcedOrInUseKeepsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := failingGroup(t, nil)
		g.Get("open").ForceOpen(errDown)
		g.Get("half-open").Disable()
		permit := mustAllow(t, g.Get("healthy"))
		for range 100 { // a hundred hours
			time.Sleep(time.Hour)
			call(g.Get("failing"), nil)
			if over := g.Get("new").Name(); over != "hosts/_overflow" {
				t.Fatalf("%s has a place, of %q", over, keysOf(g))
			}
		}
		permit.Failure()
		if s := g.Get("healthy").Stats(); s.Total.Failure != 1 {
			t.Errorf("the result of a long call was lost: %+v", s)
		}
		g.Get("open").Reset()
		time.Sleep(time.Minute)
		g.Get("healthy")
		if g.Get("new").Name() != "hosts/new" || len(keysOf(g)) != 3 {
			t.Errorf("got %q, want healthy, half-open and new", keysOf(g))
		}
	})
}

func TestAProbeInFlightKeepsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := failingGroup(t, nil)
		mustAllow(t, g.Get("half-open"))
		time.Sleep(time.Minute)
		g.Get("new")
		if got := keysOf(g); !slices.Contains(got, "half-open") {
			t.Errorf("got %q", got)
		}
	})
}

func TestDeadKeysDoNotCostHealthyOnesTheirCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := mustGroup(t, 1000, Config{})
		for i := range 1000 {
			times(5, func() { call(g.Get(fmt.Sprint("gone", i)), errDown) })
		}
		for range 2 { // at once, and when they are idle
			times(20, func() { call(g.Get("failing"), errDown) })
			for i := range 3000 {
				if err := call(g.Get(fmt.Sprint("healthy", i)), nil); err != nil {
					t.Fatalf("key %d: %v", i, err)
				}
			}
			time.Sleep(70 * time.Second)
		}
		if n := len(keysOf(g)); n != 1000 {
			t.Errorf("%d keys, want 1000", n)
		}
	})
}

func TestKeysBeyondMaxAreUnguardedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := new(events)
		cfg := steady()
		cfg.FailureRate, cfg.SlowRate, cfg.SlowCall, cfg.Start, cfg.Observer = 1, 1, time.Nanosecond, ForcedOpen, seen
		g := mustGroup(t, 1, cfg)
		g.Get("a")
		for i := range 100 {
			over := g.Get(fmt.Sprint("key", i))
			if err := call(over, errDown); err != errDown || over.Name() != "hosts/_overflow" {
				t.Fatalf("%s: %v", over.Name(), err)
			}
		}
		if s := g.Get("b").Stats(); s.Total.Failure != 100 || s.State != Closed {
			t.Errorf("got %+v", s)
		}
		if last := seen.last(); last.Op != OpNew || last.Source.Name() != "hosts/_overflow" {
			t.Errorf("got %+v", last)
		}
	})
}

func TestTheFirstKeysBeyondMaxHaveABreakerToo(t *testing.T) {
	for range long(200, 50) {
		g := mustGroup(t, 1, Config{})
		g.Get("a")
		var wg sync.WaitGroup
		for _, key := range []string{"b", "c", "d"} {
			wg.Go(func() {
				if g.Get(key) == nil {
					t.Error("no breaker")
				}
			})
		}
		wg.Wait()
	}
}

func TestKeysBeyondMaxMayShareABreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := steady()
		cfg.Name = "hosts"
		g, err := NewGroup(GroupConfig{Breaker: cfg, Max: 1, ShareOverflow: true})
		if err != nil {
			t.Fatal(err)
		}
		g.Get("a")
		for _, key := range []string{"b", "c", "d"} {
			call(g.Get(key), errDown)
		}
		wantState(t, g.Get("e"), Open)
		if got := keysOf(g); !slices.Equal(got, []string{"a"}) {
			t.Errorf("got %q", got)
		}
	})
}

func TestABusyKeyKeepsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := mustGroup(t, 3, steady())
		busy := g.Get("busy")
		for i := range 100 {
			if g.Get("busy") != busy {
				t.Fatal("a breaker in use lost its place")
			}
			g.Get(fmt.Sprint("guest", i))
			time.Sleep(50 * time.Second)
		}
	})
}

func TestIdleAfterIsTheLongestOpenTimeAndTheWindow(t *testing.T) {
	for _, tc := range []struct {
		cfg  Config
		want time.Duration
	}{
		{Config{}, 70 * time.Second},
		{Config{OpenFor: Backoff{Max: 5 * time.Minute}, Window: Window{Duration: time.Minute}}, 6 * time.Minute},
		{Config{OpenFor: Backoff{Base: time.Second, Max: time.Second}, Window: Window{Calls: 100}}, time.Second},
		{Config{OpenFor: Backoff{Max: -1}, Window: Window{Duration: 1 << 62}}, time.Hour},
	} {
		tc.cfg.Name = "hosts"
		if cfg, err := (GroupConfig{Breaker: tc.cfg}).withDefaults(); err != nil || cfg.IdleAfter != tc.want {
			t.Errorf("%+v: %v, %v, want %v", tc.cfg, cfg.IdleAfter, err, tc.want)
		}
	}
}

func TestARemovedKeyBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := new(events)
		cfg := steady()
		cfg.Observer = seen
		g := mustGroup(t, 1, cfg)
		old := g.Get("a")
		late := mustAllow(t, old)
		old.ForceOpen(nil)
		g.Get("b") // beyond Max
		g.Remove("a")
		g.Remove("a")
		g.Remove("unknown")
		if last := seen.last(); last.Op != OpRetired || last.Source.Name() != "hosts/a" {
			t.Errorf("got %+v", last)
		}
		if g.Get("b").Name() != "hosts/b" {
			t.Error("its place is not free")
		}
		g.Remove("b")
		late.Failure()
		if a := g.Get("a"); a == old || a.State() != Closed || a.Stats().Total != (Counts{}) {
			t.Errorf("got %+v", a.Stats())
		}
	})
}

func TestABreakerThatLostItsPlaceStillWorksInSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := new(events)
		cfg := steady()
		cfg.Observer = seen
		g := mustGroup(t, 1, cfg)
		old := g.Get("a")
		time.Sleep(time.Hour)
		g.Get("b")
		times(3, func() { call(old, errDown) })
		wantState(t, old, Open)
		for _, e := range seen.all() {
			if e.Op == OpChanged {
				t.Errorf("an event to %v after OpRetired", e.To)
			}
		}
		time.Sleep(time.Hour)
		if again := g.Get("a"); again == old || again.Name() != "hosts/a" {
			t.Error("the group still knows it, or it has no place")
		}
	})
}

func TestAGroupIsBoundedWhateverKeysComeIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := mustGroup(t, 50, Config{})
		forced := g.Get("forced")
		forced.ForceOpen(nil)
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := range long(2000, 12) {
					key := fmt.Sprint(w, "/", i)
					call(g.Get(key), nil)
					switch i % 100 {
					case 0:
						time.Sleep(50 * time.Second)
					case 1:
						g.Remove(key)
					}
				}
			})
		}
		wg.Wait()
		if n := len(keysOf(g)); n > 50 || n != g.size || n < 40 {
			t.Errorf("%d keys, %d counted", n, g.size)
		}
		if g.Get("forced") != forced {
			t.Error("a forced breaker was forgotten")
		}
	})
}

func TestAGroupIsUpdatedAsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := steady()
		g := mustGroup(t, 1, cfg)
		times(2, func() { call(g.Get("a"), errDown) })
		over := g.Get("beyond")
		if err := g.Update(Config{FailureRate: 2}); !errors.Is(err, ErrInvalid) {
			t.Errorf("got %v", err)
		}
		if err := g.Update(Config{Name: "other"}); !errors.Is(err, ErrInvalid) {
			t.Errorf("got %v", err)
		}
		cfg.Name, cfg.ConsecutiveFailures, cfg.Shadow = "hosts", 5, true
		if err := g.Update(cfg); err != nil {
			t.Fatal(err)
		}
		times(2, func() { call(g.Get("a"), errDown) })
		wantState(t, g.Get("a"), Closed)
		call(g.Get("a"), errDown)
		wantState(t, g.Get("a"), Open)
		times(10, func() { call(over, errDown) })
		wantState(t, over, Closed)
		g.Remove("a")
		times(3, func() { call(g.Get("b"), errDown) })
		wantState(t, g.Get("b"), Closed)
		if !g.Get("b").Stats().Shadow || !over.Stats().Shadow {
			t.Error("a breaker of the group does not know the update")
		}
	})
}

func TestAGroupThatWasNotMadeSaysSo(t *testing.T) {
	for name, g := range map[string]*Group{"nil": nil, "zero": new(Group)} {
		if err := call(g.Get("a"), nil); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		for what, f := range map[string]func(){"All": func() { g.All() }, "Remove": func() { g.Remove("a") }} {
			if got := panicOf(f); got != errNoGroup {
				t.Errorf("%s of a %s group: %v", what, name, got)
			}
		}
		if err := g.Update(Config{}); err != errNoGroup {
			t.Errorf("Update of a %s group: %v", name, err)
		}
	}
}

func TestGroupConfig(t *testing.T) {
	_, err := NewGroup(GroupConfig{Max: -1, IdleAfter: -1})
	want := "circuitbreaker: Config.Name is \"\", want valid UTF-8 without NUL, not empty\n" +
		"circuitbreaker: GroupConfig.Max is -1, want at least 1\n" +
		"circuitbreaker: GroupConfig.IdleAfter is -1ns, want more than 0, or a group fills up for ever"
	if !errors.Is(err, ErrInvalid) || err.Error() != want {
		t.Errorf("got %v", err)
	}
}
