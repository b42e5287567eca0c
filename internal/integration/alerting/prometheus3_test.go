// SPDX-License-Identifier: MIT

package alerting

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

// memory is a storage of series in memory.
type memory struct{ series []promql.Series }

func (m *memory) Querier(_, _ int64) (storage.Querier, error) {
	return &storage.MockQuerier{SelectMockFunction: func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
		found := &found{at: -1}
		for _, s := range m.series {
			if !slices.ContainsFunc(matchers, func(l *labels.Matcher) bool { return !l.Matches(s.Metric.Get(l.Name)) }) {
				found.series = append(found.series, s)
			}
		}
		return found
	}}, nil
}

// found is a storage.SeriesSet.
type found struct {
	series []promql.Series
	at     int
}

func (f *found) Next() bool                        { f.at++; return f.at < len(f.series) }
func (f *found) At() storage.Series                { return promql.NewStorageSeries(f.series[f.at]) }
func (f *found) Err() error                        { return nil }
func (f *found) Warnings() annotations.Annotations { return nil }

// load is the series of a test as Prometheus 3 stores them: with "1.0" for the
// bucket of 1.
func (m *memory) load(t testing.TB, test unitTest, interval time.Duration) {
	t.Helper()
	for _, node := range test.Series {
		var in struct{ Series, Values string }
		if err := node.Decode(&in); err != nil {
			t.Fatal(err)
		}
		metric, values, err := parser.ParseSeriesDesc(in.Series + " " + in.Values)
		if err != nil {
			t.Fatalf("%s: %v", in.Series, err)
		}
		if le := metric.Get("le"); le != "" && !strings.ContainsAny(le, ".I") {
			metric = labels.NewBuilder(metric).Set("le", le+".0").Labels()
		}
		s := promql.Series{Metric: metric}
		for i, v := range values {
			if !v.Omitted {
				s.Floats = append(s.Floats, promql.FPoint{T: (time.Duration(i) * interval).Milliseconds(), F: v.Value})
			}
		}
		m.series = append(m.series, s)
	}
}

// end marks all that a rule recorded before as stale, until it records more.
func (m *memory) end(record string, now time.Duration) {
	for i, s := range m.series {
		if record != "" && s.Metric.Get(model.MetricNameLabel) == record {
			m.series[i].Floats = append(s.Floats, promql.FPoint{T: now.Milliseconds(), F: math.Float64frombits(value.StaleNaN)})
		}
	}
}

// record adds a value to the series of a recording rule.
func (m *memory) record(metric labels.Labels, p promql.FPoint) {
	i := slices.IndexFunc(m.series, func(s promql.Series) bool { return labels.Equal(s.Metric, metric) })
	if i < 0 {
		i = len(m.series)
		m.series = append(m.series, promql.Series{Metric: metric})
	}
	points := m.series[i].Floats
	if n := len(points); n > 0 && points[n-1].T == p.T { // marked as stale a moment ago
		points = points[:n-1]
	}
	m.series[i].Floats = append(points, p)
}

// evaluation is rules that are evaluated over and over.
type evaluation struct {
	engine *promql.Engine
	store  *memory
	rules  []rulefmt.Rule
	since  map[string]time.Duration // of alerts, by their labels
}

// step evaluates all rules and returns the alerts that fire.
func (e *evaluation) step(t testing.TB, now time.Duration) (firing []string) {
	t.Helper()
	active := make(map[string]bool)
	for _, r := range e.rules {
		e.store.end(r.Record, now)
		q, err := e.engine.NewInstantQuery(context.Background(), e.store, nil, r.Expr, time.Unix(0, 0).Add(now))
		if err != nil {
			t.Fatal(err)
		}
		result := q.Exec(context.Background())
		vector, err := result.Vector()
		if err != nil {
			t.Fatalf("%s%s: %v", r.Record, r.Alert, err)
		}
		for _, sample := range vector {
			b := labels.NewBuilder(sample.Metric)
			for name, value := range r.Labels {
				b.Set(name, value)
			}
			if r.Record != "" {
				e.store.record(b.Set(model.MetricNameLabel, r.Record).Labels(), promql.FPoint{T: now.Milliseconds(), F: sample.F})
				continue
			}
			alert := b.Set(model.MetricNameLabel, "ALERTS").Set("alertname", r.Alert).Set("alertstate", "firing").Labels().String()
			active[alert] = true
			if _, pending := e.since[alert]; !pending {
				e.since[alert] = now
			}
			if now-e.since[alert] >= time.Duration(r.For) {
				firing = append(firing, alert)
			}
		}
		q.Close()
	}
	for alert := range e.since {
		if !active[alert] {
			delete(e.since, alert)
		}
	}
	slices.Sort(firing)
	return firing
}

// The tests of promtool, which is of Prometheus 2, once more with the engine of
// Prometheus 3 and its labels of buckets.
func TestAlertsFireAsWellOnPrometheus3(t *testing.T) {
	t.Parallel()
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e7, Timeout: time.Minute, NoStepSubqueryIntervalFn: func(int64) int64 { return time.Minute.Milliseconds() }})
	defer engine.Close()
	byAlert := make(map[string][]rulefmt.Rule)
	for _, groups := range rules(t) {
		for _, g := range groups.Groups {
			for _, r := range g.Rules {
				if r.Alert != "" {
					byAlert[r.Alert] = append(byAlert[r.Alert], withRule(groups, mutant{rule: r}).Groups[0].Rules...)
				}
			}
		}
	}
	n := 0
	for file, u := range testFiles(t) {
		for _, test := range u.Tests {
			if byAlert[test.alert()] == nil {
				continue // of the original's rules
			}
			n++
			e := evaluation{engine, new(memory), nil, make(map[string]time.Duration)}
			for _, r := range byAlert[test.alert()] {
				if r.Record != "" || concerns(test, mutant{rule: r}) {
					e.rules = append(e.rules, r)
				}
			}
			e.store.load(t, test, parse(t, test.Interval))
			wanted := make(map[time.Duration][]string)
			var end time.Duration
			for _, x := range test.Exprs {
				at := parse(t, x.At)
				wanted[at] = []string{}
				for _, node := range x.Samples {
					var in struct{ Labels string }
					if err := node.Decode(&in); err != nil {
						t.Fatal(err)
					}
					metric, err := parser.ParseMetric(in.Labels)
					if err != nil {
						t.Fatal(err)
					}
					wanted[at] = append(wanted[at], metric.String())
				}
				slices.Sort(wanted[at])
				end = max(end, at)
			}
			for now := time.Duration(0); now <= end; now += parse(t, u.EvaluationInterval) {
				firing := e.step(t, now)
				if want, asked := wanted[now]; asked && !slices.Equal(firing, want) {
					t.Errorf("%s: %s: at %v\nfiring %q\nwant   %q", file, test.Name, now, firing, want)
				}
			}
		}
	}
	if n < 60 {
		t.Errorf("only %d tests were found", n)
	}
}

func parse(t testing.TB, text string) time.Duration {
	t.Helper()
	d, err := model.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(d)
}
