// SPDX-License-Identifier: MIT

package metrics

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast-go/holdfast/lock"
)

func conflictOn(src lock.Source, r lock.Resource) lock.Event {
	return lock.Event{Op: lock.OpAcquire, Result: lock.ResultConflict, Source: src, Resource: r}
}

func TestAMillionKeysMakeFewSeriesAndNoHeap(t *testing.T) {
	const limit, keys = 200, 1_000_000
	m, reg := newMetrics(t, WithKeyLabel("room", lock.Resource.Name, limit))
	src := named[lock.Stats]("rooms")
	m.ObserveLock(background, lock.Event{Op: lock.OpNew, Source: src})
	expect(t, reg, map[string]float64{`holdfast_lock_key_conflicts_total{room="_other"}`: 0, `holdfast_metrics_label_overflow_total`: 0})

	before := heap()
	var wg sync.WaitGroup
	for part := range 4 {
		wg.Go(func() {
			for i := part; i < keys; i += 4 {
				m.ObserveLock(background, conflictOn(src, lock.Key(fmt.Sprint("room/", i))))
			}
		})
	}
	wg.Wait()
	if after := heap(); after > before+1<<20 {
		t.Errorf("the heap grew by %d bytes", after-before)
	}
	if got := mentions(scrape(t, reg), "holdfast_lock_key_conflicts_total"); len(got) != limit+1 {
		t.Errorf("%d series, want %d and _other", len(got), limit)
	}
	if n := lines(t, reg); n > 400 {
		t.Errorf("%d series, want at most 400", n)
	}
	expect(t, reg, map[string]float64{
		`holdfast_lock_key_conflicts_total{room="_other"}`: keys - limit,
		`holdfast_metrics_label_overflow_total`:            keys - limit,
		`holdfast_lock_conflicts_total{manager="rooms"}`:   keys,
	})
}

// heap is what is in use, in bytes, when all that is dropped is collected.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

// Between finding room and taking it, others may have taken it.
func TestTheLimitHoldsForKeysThatComeAtOnce(t *testing.T) {
	k := newKeys(lock.Resource.Name, 1)
	if k.admit("first") == nil || k.admit("second") != nil || k.admit("first") == nil {
		t.Fatal("the limit of one key does not hold")
	}
}

func TestAKeyOnceCountedStaysAndOnlyRises(t *testing.T) {
	m, reg := newMetrics(t, WithKeyLabel("room", lock.Resource.Name, 5))
	src := named[lock.Stats]("rooms")
	rnd := rand.New(rand.NewPCG(3, 4))
	before := map[string]float64{}
	for range 100 {
		for range 5 {
			m.ObserveLock(background, conflictOn(src, lock.Key(fmt.Sprint("room/", rnd.IntN(20)))))
		}
		now := scrape(t, reg)
		for _, name := range mentions(before, "_conflicts_total") {
			if now[name] < before[name] {
				t.Fatalf("%s fell from %v to %v", name, before[name], now[name])
			}
		}
		before = now
	}
}

func TestAKeyThatIsNoneCountsAsOther(t *testing.T) {
	for why, key := range map[string]func(lock.Resource) string{
		"panics":   func(lock.Resource) string { panic("no") },
		"empty":    func(lock.Resource) string { return "" },
		"no text":  func(lock.Resource) string { return "\xff" },
		"endless":  func(lock.Resource) string { return strings.Repeat("x", maxKey+1) },
		"reserved": func(lock.Resource) string { return "_other" },
	} {
		m, reg := newMetrics(t, WithKeyLabel("room", key, 5))
		src := named[lock.Stats]("rooms")
		m.ObserveLock(background, conflictOn(src, lock.Key("a")))
		if got := scrape(t, reg); got[`holdfast_lock_key_conflicts_total{room="_other"}`] != 1 || got["holdfast_metrics_label_overflow_total"] != 1 {
			t.Errorf("%s: %v", why, mentions(got, "room"))
		}
	}
}

func TestKeysAreOffByDefault(t *testing.T) {
	m, reg := newMetrics(t)
	src := named[lock.Stats]("rooms")
	m.ObserveLock(background, conflictOn(src, lock.Key("room/101")))
	for name := range scrape(t, reg) {
		if strings.Contains(name, "room/101") || strings.Contains(name, "overflow") {
			t.Errorf("%s is there", name)
		}
	}
}

func TestThePartThatMetTheConflictIsTheKey(t *testing.T) {
	m, reg := newMetrics(t, WithKeyLabel("room", lock.Resource.Name, 5))
	src := named[lock.Stats]("rooms")
	e := conflictOn(src, lock.All(lock.Key("a"), lock.Key("b")))
	e.Err = fmt.Errorf("tried: %w", &lock.ConflictError{Conflicts: []lock.Conflict{{Wanted: lock.Key("b")}}})
	m.ObserveLock(background, e)
	e.Err = errors.New("does not tell")
	m.ObserveLock(background, e)
	expect(t, reg, map[string]float64{
		`holdfast_lock_key_conflicts_total{room="a"}`: 1,
		`holdfast_lock_key_conflicts_total{room="b"}`: 1,
	})
}
