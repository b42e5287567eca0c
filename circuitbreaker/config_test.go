// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestEachContradictionIsNamed(t *testing.T) {
	for _, tc := range []struct {
		name  string
		field string
		give  Config
	}{
		{"no name", "Name", Config{}},
		{"a name with NUL", "Name", Config{Name: "a\x00b"}},
		{"a name that is no text", "Name", Config{Name: "\xff"}},
		{"a rate above 1", "FailureRate", Config{FailureRate: 1.01}},
		{"a rate that is no number", "FailureRate", Config{FailureRate: math.NaN()}},
		{"a slow rate above 1", "SlowRate", Config{SlowRate: 50, SlowCall: 1}},
		{"a slow rate without its limit", "SlowCall", Config{SlowRate: 0.5}},
		{"a slow rate with its limit off", "SlowCall", Config{SlowRate: 0.5, SlowCall: -1}},
		{"a window of two kinds", "Window", Config{Window: Window{Calls: 10, Duration: time.Second}}},
		{"buckets of calls", "Window", Config{Window: Window{Calls: 10, Buckets: 2}}},
		{"negative calls", "Window.Calls", Config{Window: Window{Calls: -1}}},
		{"too many calls", "Window.Calls", Config{Window: Window{Calls: 1 << 20}}},
		{"a negative window", "Window.Duration", Config{Window: Window{Duration: -1}}},
		{"a window too small for its buckets", "Window.Duration", Config{Window: Window{Duration: 9 * time.Millisecond}}},
		{"negative buckets", "Window.Buckets", Config{Window: Window{Buckets: -1}}},
		{"too many buckets", "Window.Buckets", Config{Window: Window{Duration: time.Hour, Buckets: 5000}}},
		{"more calls than the window holds", "MinCalls", Config{MinCalls: 11, Window: Window{Calls: 10}}},
		{"negative open time", "OpenFor.Base", Config{OpenFor: Backoff{Base: -1}}},
		{"a cap below the base", "OpenFor.Max", Config{OpenFor: Backoff{Base: 2, Max: 1}}},
		{"a shrinking open time", "OpenFor.Factor", Config{OpenFor: Backoff{Factor: 0.5}}},
		{"an infinite factor", "OpenFor.Factor", Config{OpenFor: Backoff{Factor: math.Inf(1)}}},
		{"a factor that is no number", "OpenFor.Factor", Config{OpenFor: Backoff{Factor: math.NaN()}}},
		{"jitter of everything", "OpenFor.Jitter", Config{OpenFor: Backoff{Jitter: 1}}},
		{"negative probes", "Probes.Concurrent", Config{Probes: Probes{Concurrent: -1}}},
		{"too many probes", "Probes.Concurrent", Config{Probes: Probes{Concurrent: 5000}}},
		{"probes judged without a rate", "Probes.Of", Config{ConsecutiveFailures: 3, Probes: Probes{Of: 10}}},
		{"two ways to judge probes", "Probes.Successes", Config{FailureRate: 0.5, Probes: Probes{Of: 10, Successes: 2}}},
		{"a state that there is not", "Start", Config{Start: 9}},
		{"negative successes", "Probes.Successes", Config{Probes: Probes{Successes: -1}}},
		{"no limit for probes", "Probes.Timeout", Config{Probes: Probes{Timeout: -1}}},
	} {
		if tc.field != "Name" {
			tc.give.Name = "pms"
		}
		b, err := New(tc.give)
		detail, ok := errors.AsType[*ConfigError](err)
		if b != nil || !ok || detail.Field != tc.field || !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v, want a ConfigError for %s", tc.name, err, tc.field)
		} else if !strings.HasPrefix(err.Error(), "circuitbreaker: Config."+tc.field+" is ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %q", tc.name, err)
		}
	}
}

func TestAllContradictionsAreReportedTogether(t *testing.T) {
	_, err := New(Config{FailureRate: 2, SlowRate: 0.5, MinCalls: 50, Window: Window{Calls: 10}, Probes: Probes{Timeout: -1}, OpenFor: Backoff{Base: -1}})
	var fields []string
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		fields = append(fields, e.(*ConfigError).Field)
	}
	if want := []string{"Name", "FailureRate", "SlowCall", "MinCalls", "Probes.Timeout", "OpenFor.Base"}; !slices.Equal(fields, want) {
		t.Errorf("got %v, want %v\n%v", fields, want, err)
	}
}

func TestBothHalvesOfAWindowAreChecked(t *testing.T) {
	_, err := New(Config{Name: "pms", Window: Window{Duration: -1, Buckets: -1}})
	for _, field := range []string{"Window.Duration", "Window.Buckets"} {
		if err == nil || !strings.Contains(err.Error(), field+" ") {
			t.Errorf("%s is not named in: %v", field, err)
		}
	}
}

func TestDefaults(t *testing.T) {
	p, _ := Config{Name: "pms"}.withDefaults()
	if p.ConsecutiveFailures != 5 || p.FailureRate != 0.5 || p.MinCalls != 20 || p.SlowRate != 0 ||
		p.Window != (Window{Duration: 10 * time.Second, Buckets: 10}) ||
		p.OpenFor != (Backoff{Base: 5 * time.Second, Max: time.Minute, Factor: 2, Jitter: 0.2}) ||
		p.Probes != (Probes{Concurrent: 1, Successes: 2, Timeout: 30 * time.Second}) {
		t.Errorf("got %+v", p)
	}
	if p, _ := (Config{Name: "pms", FailureRate: 0.3}).withDefaults(); p.Probes != (Probes{Concurrent: 1, Of: 10, Timeout: 30 * time.Second}) {
		t.Errorf("with a failure rate: got %+v", p.Probes)
	}
	if p, _ := (Config{Name: "pms", TripWhen: func(Counts) bool { return false }}).withDefaults(); p.ConsecutiveFailures != 0 || p.FailureRate != 0 {
		t.Errorf("an own rule alone does not switch the defaults off: %+v", p)
	}
}

func TestTimesAsLongAsADurationHoldsMeanNever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := steady()
		cfg.Name, cfg.Probes.Timeout, cfg.SlowCall, cfg.Window.Duration = "hosts", math.MaxInt64, math.MaxInt64, math.MaxInt64
		g, err := NewGroup(GroupConfig{Breaker: cfg, Max: 1, IdleAfter: math.MaxInt64})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		b := g.Get("a")
		b.TripFor(time.Minute, nil) // its timer finds the probe
		time.Sleep(time.Second)
		b.Probe()
		probe := mustAllow(t, b)
		time.Sleep(time.Hour)
		synctest.Wait()
		wantState(t, b, HalfOpen)
		probe.Success()
		wantState(t, b, Closed)
		g.Get("b")
		if g.Get("a") != b {
			t.Error("a key lost its place")
		}
	})
}
