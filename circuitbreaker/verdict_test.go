// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

func TestHowManyProbesDecide(t *testing.T) {
	for _, tc := range []struct {
		name string
		cfg  Config
		play string // s success, f failure, S and F slow
		want State  // after the whole of it, and HalfOpen before
	}{
		{"by default two successes close", Config{}, "ss", Closed},
		{"by default one failure opens", Config{}, "sf", Open},
		{"with a failure rate, ten are judged", Config{FailureRate: 0.5}, "ssssss", Closed},
		{"what the rate tolerates closes", Config{FailureRate: 0.5}, "fssfsfssf", HalfOpen},
		{"and is decided as soon as it is certain", Config{FailureRate: 0.5}, "fssfsfssfs", Closed},
		{"five of ten open", Config{FailureRate: 0.5}, "sfffff", Open},
		{"two failures and no success open at once", Config{FailureRate: 0.9}, "ff", Open},
		{"a low rate needs all", Config{FailureRate: 0.05}, "ssssssssss", Closed},
		{"a low rate opens at one", Config{FailureRate: 0.05}, "sssssssssf", Open},
		{"a rate of 1 needs one success", Config{FailureRate: 1}, "fs", Closed},
		{"as many as are asked for", Config{FailureRate: 0.5, Probes: Probes{Of: 3}}, "sfs", Closed},
		{"a single one", Config{FailureRate: 0.5, Probes: Probes{Of: 1}}, "f", Open},
		{"by the default rule, if asked for", Config{Probes: Probes{Of: 4}}, "sfss", Closed},
		{"not judged by rate if successes are asked for", Config{FailureRate: 0.5, Probes: Probes{Successes: 3}}, "sss", Closed},
		{"nor if that is off", Config{FailureRate: 0.5, Probes: Probes{Of: -1}}, "sf", Open},
		{"slow ones by their own rate", Config{FailureRate: 0.1, SlowRate: 0.5, SlowCall: time.Second}, "SSSSssssss", Closed},
		{"too many slow ones", Config{FailureRate: 0.1, SlowRate: 0.5, SlowCall: time.Second}, "sSSSSS", Open},
		{"callers that gave up on slow ones", Config{FailureRate: 0.9, SlowRate: 0.9, SlowCall: time.Second, Probes: Probes{Of: 3}}, "Cs", Closed},
		{"too many that gave up", Config{FailureRate: 0.1, SlowRate: 0.5, SlowCall: time.Second}, "CCCCC", Open},
		{"slow ones where slowness is no rule", Config{FailureRate: 0.5, SlowCall: time.Second}, "SSSSSS", Closed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tc.cfg.Name = "pms"
				b := mustNew(t, tc.cfg)
				b.Probe()
				for i := range tc.play {
					wantState(t, b, HalfOpen)
					outcomes(b, tc.play[i:i+1])
				}
				wantState(t, b, tc.want)
				b.Reset()
			})
		})
	}
}

func TestADependencyThatIsWellByTheRulesClosesTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 2))
		for range 100 {
			b := mustNew(t, Config{Name: "pms", FailureRate: 0.5})
			b.Probe()
			start := time.Now()
			for b.State() != Closed {
				time.Sleep(100 * time.Millisecond)
				var result error
				if rng.IntN(10) == 0 {
					result = errDown
				}
				call(b, result)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("closed after %v", took)
			}
		}
	})
}

func TestADeadDependencyIsProbedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mustNew(t, Config{Name: "pms", FailureRate: 0.5, Probes: Probes{Of: 50}})
		b.Probe()
		asked := 0
		for range 1000 {
			b.Do(context.Background(), func(context.Context) error { asked++; return errDown })
		}
		if asked != 2 || b.State() != Open {
			t.Errorf("asked %d times, and is %v", asked, b.State())
		}
	})
}

func TestAHungProbeIsOneFailureOfThoseThatAreJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := new(events)
		b := mustNew(t, Config{Name: "pms", FailureRate: 0.5, Observer: seen})
		b.Probe()
		call(b, nil)
		hung := mustAllow(t, b)
		wantFull(t, b)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		wantState(t, b, HalfOpen)
		if s := b.Stats(); s.Probing != 0 {
			t.Errorf("%d probes in flight, want its slot back", s.Probing)
		}
		hung.Success()
		hung.Success()
		if s := b.Stats(); s.Stale != 1 || s.Total.Success != 2 {
			t.Errorf("got %+v, want its late result counted once", s)
		}
		times(3, func() { call(b, errDown) })
		wantState(t, b, HalfOpen)
		mustAllow(t, b) // the fifth failure
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if e := seen.last(); b.State() != Open || e.Reason != ProbeTimedOut || e.Cause == nil {
			t.Errorf("is %v after %+v", b.State(), e)
		}
	})
}
