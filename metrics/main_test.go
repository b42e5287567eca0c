// SPDX-License-Identifier: MIT

package metrics

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math"
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

func named[S any](name string) *fake[S] { return &fake[S]{name: name} }

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
	b, l := named[circuitbreaker.Stats]("pms"), named[lock.Stats]("rooms")
	s, a := named[session.Stats]("chats"), named[audit.Stats]("trail")
	db := sql.OpenDB(noDatabase{})
	t.Cleanup(func() { db.Close() })
	ctx := t.Context()
	m.ObserveBreaker(ctx, circuitbreaker.Event{Op: circuitbreaker.OpNew, Source: b})
	m.ObserveLock(ctx, lock.Event{Op: lock.OpNew, Source: l})
	m.ObserveSession(ctx, session.Event{Op: session.OpNew, Source: s})
	m.ObserveAudit(ctx, audit.Activity{Op: audit.OpNew, Source: a})
	if err := m.DB("trail", db); err != nil {
		t.Fatal(err)
	}
	if err := Redis(m, "main", new(fakeRedis)); err != nil {
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

// expect compares some of the values of a scrape.
func expect(t testing.TB, g prometheus.Gatherer, want map[string]float64) {
	t.Helper()
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
