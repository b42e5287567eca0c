// SPDX-License-Identifier: MIT

package metrics

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/session"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// fake is a source of any kind whose Stats the test sets.
type fake[S any] struct {
	name string

	mu    sync.Mutex
	stats S
}

func (f *fake[S]) Name() string { return f.name }

func (f *fake[S]) Stats() S {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stats
}

func (f *fake[S]) set(change func(*S)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.stats)
}

// named is a source that lives as long as the test.
func named[S any](t testing.TB, name string) *fake[S] { return keep(t, &fake[S]{name: name}) }

// keep keeps v alive until the test is over.
func keep[T any](t testing.TB, v T) T {
	t.Cleanup(func() { runtime.KeepAlive(v) })
	return v
}

func newMetrics(t testing.TB, opts ...Option) (*Metrics, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	m, err := New(reg, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return m, reg
}

// everything is a Metrics that has met one source of each kind.
func everything(t testing.TB, opts ...Option) (*Metrics, *prometheus.Registry) {
	t.Helper()
	m, reg := newMetrics(t, opts...)
	b, l := named[circuitbreaker.Stats](t, "pms"), named[lock.Stats](t, "rooms")
	s, a := named[session.Stats](t, "chats"), named[audit.Stats](t, "trail")
	db := keep(t, sql.OpenDB(noDatabase{}))
	t.Cleanup(func() { db.Close() })
	ctx := t.Context()
	m.ObserveBreaker(ctx, circuitbreaker.Event{Op: circuitbreaker.OpCreated, Source: b})
	m.ObserveLock(ctx, lock.Event{Op: lock.OpCreated, Source: l})
	m.ObserveSession(ctx, session.Event{Op: session.OpCreated, Source: s})
	m.ObserveAudit(ctx, audit.Activity{Op: audit.OpCreated, Source: a})
	if err := m.DB("trail", db); err != nil {
		t.Fatal(err)
	}
	if err := Redis(m, "main", keep(t, new(fakeRedis))); err != nil {
		t.Fatal(err)
	}
	return m, reg
}

// scrape returns every value as text such as `holdfast_lock_held{manager="rooms"}`,
// a histogram's as _count and _sum.
func scrape(t testing.TB, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatalf("gather: %v", err)
	}
	values := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var pairs []string
			for _, l := range m.GetLabel() {
				pairs = append(pairs, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			labels := ""
			if len(pairs) > 0 {
				labels = "{" + strings.Join(pairs, ",") + "}"
			}
			switch {
			case m.GetCounter() != nil:
				values[f.GetName()+labels] = m.GetCounter().GetValue()
			case m.GetGauge() != nil:
				values[f.GetName()+labels] = m.GetGauge().GetValue()
			case m.GetHistogram() != nil:
				values[f.GetName()+"_count"+labels] = float64(m.GetHistogram().GetSampleCount())
				values[f.GetName()+"_sum"+labels] = m.GetHistogram().GetSampleSum()
			}
		}
	}
	return values
}

// expect compares some of the values of a scrape. It collects garbage first: a
// source that a test does not [keep] is missing in every run, not in some.
func expect(t testing.TB, g prometheus.Gatherer, want map[string]float64) {
	t.Helper()
	runtime.GC()
	got := scrape(t, g)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if v, ok := got[name]; !ok {
			t.Errorf("%s is not there", name)
		} else if math.Abs(v-want[name]) > 1e-9 { // sums of seconds are rounded
			t.Errorf("%s = %v, want %v", name, v, want[name])
		}
	}
}

// mentions lists the series that have the text in them.
func mentions(values map[string]float64, text string) []string {
	var found []string
	for name := range values {
		if strings.Contains(name, text) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

var background = context.Background()
