// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func mustAllow(t testing.TB, b *Breaker) Permit {
	t.Helper()
	p, err := b.Allow()
	if err != nil {
		t.Fatalf("not let through: %v", err)
	}
	return p
}

func wantFull(t testing.TB, b *Breaker) {
	t.Helper()
	if _, err := b.Allow(); err == nil {
		t.Fatal("one probe too many was let through")
	}
}

func TestAHungProbeReopensTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := new(events)
		cfg := steady()
		cfg.Observer = seen
		b := mustNew(t, cfg)
		bring(b, HalfOpen)
		hung := mustAllow(t, b)

		time.Sleep(30 * time.Second)
		synctest.Wait()
		wantState(t, b, Open)
		if e := seen.last(); e.Reason != ProbeTimedOut || e.Attempt != 2 || e.Cause == nil {
			t.Errorf("got %+v", e)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		wantState(t, b, HalfOpen)
		hung.Success()
		wantState(t, b, HalfOpen)
		if s := b.Stats(); s.Stale != 1 {
			t.Errorf("stale %d, want 1", s.Stale)
		}
		call(b, nil)
		wantState(t, b, Closed)
	})
}

func TestEachProbeHasItsOwnTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := steady()
		cfg.Probes.Concurrent, cfg.Probes.Successes = 2, 100
		b := mustNew(t, cfg)
		bring(b, HalfOpen)
		for range 20 { // overlapping probes of 15 s each, for minutes
			p := mustAllow(t, b)
			go func() { time.Sleep(15 * time.Second); p.Success() }()
			time.Sleep(10 * time.Second)
		}
		synctest.Wait()
		wantState(t, b, HalfOpen)
		mustAllow(t, b)
		time.Sleep(30*time.Second - time.Nanosecond)
		synctest.Wait()
		wantState(t, b, HalfOpen)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		wantState(t, b, Open)
	})
}

func TestAnIdleHalfOpenBreakerWaitsForTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := steady()
		cfg.Probes.Successes = 3
		b := mustNew(t, cfg)
		bring(b, HalfOpen)
		for range 2 { // one call an hour
			time.Sleep(time.Hour)
			call(b, nil)
			synctest.Wait()
			wantState(t, b, HalfOpen)
		}
		time.Sleep(time.Hour)
		call(b, nil)
		wantState(t, b, Closed)
	})
}

func TestAHungProbeIsSeenAfterAQuietTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mustNew(t, steady())
		bring(b, HalfOpen)
		mustAllow(t, b).Ignore()
		time.Sleep(time.Hour) // the watch over the first probe has ended
		mustAllow(t, b)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		wantState(t, b, Open)
	})
}

func TestProbesAreLimitedAndSlotsComeBack(t *testing.T) {
	for _, limit := range []int{1, 2, 3, 64, 100} {
		synctest.Test(t, func(t *testing.T) {
			cfg := steady()
			cfg.Probes = Probes{Concurrent: limit, Successes: 1000, Timeout: time.Hour}
			b := mustNew(t, cfg)
			bring(b, HalfOpen)
			for range 3 {
				var out []Permit
				times(limit, func() { out = append(out, mustAllow(t, b)) })
				wantFull(t, b)
				if s := b.Stats(); s.Probing != limit {
					t.Errorf("probing %d, want %d", s.Probing, limit)
				}
				for i, p := range out {
					if i%2 == 0 {
						p.Ignore()
					} else {
						p.Success()
					}
				}
			}
			wantState(t, b, HalfOpen)
			b.Reset()
		})
	}
}

func TestAProbeSettledTwiceGivesItsSlotBackOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := steady()
		cfg.Probes.Successes = 3
		b := mustNew(t, cfg)
		bring(b, HalfOpen)
		first := mustAllow(t, b)
		first.Success()
		second := mustAllow(t, b) // in the same slot, at the same instant
		first.Success()
		first.Done(context.Background(), errDown)
		wantFull(t, b)
		wantState(t, b, HalfOpen)
		if s := b.Stats(); s.Total.Success != 1 || s.Total.Failure != 0 {
			t.Errorf("got %+v", s.Total)
		}
		second.Ignore()
	})
}

func TestAPanickingClassifierCountsAsAFailureAndFreesTheSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := steady()
		cfg.Classify = func(_ context.Context, err error) Outcome {
			if err == errDown {
				panic("classifier")
			}
			return Success
		}
		b := mustNew(t, cfg)
		bring(b, HalfOpen)
		func() {
			defer func() {
				if recover() != "classifier" {
					t.Error("the panic was swallowed")
				}
			}()
			call(b, errDown)
		}()
		wantState(t, b, Open)
		if s := b.Stats(); s.Total.Failure != 1 || s.Probing != 0 {
			t.Errorf("got %+v", s)
		}
	})
}

func TestAPanickingRetryAfterFreesTheSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mustNew(t, steady())
		b.Probe()
		if got := panicOf(func() { call(b, overtaking{func() { panic("RetryAfter") }}) }); got != "RetryAfter" {
			t.Errorf("the panic was swallowed: %v", got)
		}
		wantState(t, b, HalfOpen)
		call(b, nil)
		wantState(t, b, Open) // the failure counts
		b.Reset()
	})
}

func TestASlowProbeFailsWhereSlownessOpens(t *testing.T) {
	for _, rate := range []float64{0, 0.5} {
		synctest.Test(t, func(t *testing.T) {
			cfg := steady()
			cfg.SlowCall, cfg.SlowRate = time.Second, rate
			b := mustNew(t, cfg)
			bring(b, HalfOpen)
			b.Do(context.Background(), func(context.Context) error { time.Sleep(time.Second); return nil })
			if want := map[float64]State{0: Closed, 0.5: Open}[rate]; b.State() != want {
				t.Errorf("slow rate %v: %v, want %v", rate, b.State(), want)
			}
		})
	}
}

// Many goroutines probe with random outcomes through many half-open stays.
// Each counts itself while it runs, by the stay that let it through.
func TestNeverMoreProbesThanAllowedUnderAnySchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 3
		seen := new(events)
		cfg := steady()
		cfg.Probes = Probes{Concurrent: limit, Successes: 5, Timeout: 2 * time.Second}
		cfg.Observer = seen
		b := mustNew(t, cfg)

		var running sync.Map // era to *atomic.Int64
		var wg sync.WaitGroup
		for seed := range uint64(8) {
			rng := rand.New(rand.NewPCG(seed, 1))
			wg.Go(func() {
				for range long(500, 100) {
					p, err := b.Allow()
					if err != nil {
						time.Sleep(time.Duration(rng.IntN(1000)) * time.Millisecond)
						continue
					}
					n := new(atomic.Int64)
					if p.probe != nil {
						v, _ := running.LoadOrStore(p.era, n)
						n = v.(*atomic.Int64)
					}
					if n.Add(1) > limit {
						t.Error("too many probes at a time")
					}
					time.Sleep(time.Duration(rng.IntN(2100)) * time.Millisecond)
					n.Add(-1)
					switch rng.IntN(6) {
					case 0:
						p.Failure()
					case 1:
						p.Ignore()
					default:
						p.Success()
					}
				}
			})
		}
		wg.Wait()
		checkChain(t, seen.all())
	})
}

func TestNeverMoreProbesThanAllowedInParallel(t *testing.T) {
	const limit = 2
	cfg := steady()
	cfg.OpenFor.Base = time.Nanosecond
	cfg.Probes = Probes{Concurrent: limit, Successes: 1, Timeout: time.Hour}
	b := mustNew(t, cfg)
	b.Trip(nil)
	for b.State() != HalfOpen {
		runtime.Gosched()
	}
	var running atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range long(20_000, 25) {
				if p, err := b.Allow(); err == nil {
					if running.Add(1) > limit {
						t.Error("too many probes at a time")
					}
					runtime.Gosched()
					running.Add(-1)
					p.Ignore()
				}
			}
		})
	}
	wg.Wait()
	if s := b.Stats(); s.Probing != 0 || s.State != HalfOpen {
		t.Errorf("got %+v", s)
	}
	b.Reset()
}

// A caller looks at a half-open stay; then a probe fails, and the breaker opens.
func TestASlotOfAnEndedStayAdmitsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := steady()
		cfg.Probes.Concurrent = 3
		b := mustNew(t, cfg)
		for _, end := range []func(Permit){Permit.Failure, Permit.Success, func(Permit) { time.Sleep(30 * time.Second); synctest.Wait() }} {
			b.Probe()
			e := b.era.Load()
			hung := mustAllow(t, b)
			end(mustAllow(t, b))
			if b.State() == HalfOpen || b.probe(e) != nil {
				t.Errorf("let through a probe of a stay that has ended: %v", b.State())
			}
			hung.Ignore()
			b.Reset()
		}
	})
}

// checkChain fails unless every transition begins where the one before ended.
func checkChain(t *testing.T, all []Event) {
	t.Helper()
	at := Closed
	for i, e := range all {
		if i == 0 != (e.Op == OpNew) || e.From != at || i > 0 && e.From == e.To {
			t.Fatalf("event %d of %d is %v %v>%v, the breaker was %v", i, len(all), e.Op, e.From, e.To, at)
		}
		at = e.To
	}
}

func TestAFleetDoesNotProbeAtTheSameInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := steady()
		cfg.OpenFor.Jitter = 0 // the default
		opened := map[time.Duration]bool{}
		for range 100 {
			seen := new(events)
			cfg.Observer = seen
			mustNew(t, cfg).Trip(nil)
			d := seen.last().OpenFor
			if d < 8*time.Second || d > 12*time.Second {
				t.Errorf("open for %v, want 10s ±20%%", d)
			}
			opened[d] = true
		}
		if len(opened) < 90 {
			t.Errorf("100 breakers share %d open times", len(opened))
		}
	})
}
