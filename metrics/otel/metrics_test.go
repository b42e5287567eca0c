// SPDX-License-Identifier: MIT

package otel_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/metrics"
	"github.com/holdfast-go/holdfast/metrics/otel"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

// exercise has something of each core counted.
func exercise(t *testing.T, r *rig) {
	t.Helper()
	b, err := circuitbreaker.New(circuitbreaker.Config{Name: "pms", Observer: r})
	if err != nil {
		t.Fatal(err)
	}
	_ = b.Do(r.ctx, func(context.Context) error { return errDown })
	m := rooms(t, r)
	l, err := m.TryAcquire(r.ctx, lock.Key("room/101"))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = m.TryAcquire(r.ctx, lock.Key("room/101"))
	_ = l.Release(r.ctx)
	users, err := session.New(memsession.New(), session.Config[string]{Name: "users", Observer: r, Trace: r.Trace})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = users.Create(r.ctx, "data")
	trail, err := audit.New(audit.NewMemory(), audit.Config{Name: "trail", Observer: r, Trace: r.Trace, Linger: -1})
	if err != nil {
		t.Fatal(err)
	}
	_ = trail.Record(r.ctx, audit.Event{Type: "ok"})
	_ = trail.Flush(r.ctx)
	t.Cleanup(func() { _ = trail.Close(context.Background()) })
}

// prometheusName is what the specification (OpenTelemetry, "Prometheus and
// OpenMetrics Compatibility") makes of a metric.
func prometheusName(m metricdata.Metrics) string {
	name := strings.ReplaceAll(m.Name, ".", "_")
	if unit := map[string]string{"s": "_seconds", "By": "_bytes"}[m.Unit]; !strings.HasSuffix(name, unit) {
		name += unit
	}
	if sum, ok := m.Data.(metricdata.Sum[float64]); ok && sum.IsMonotonic {
		name += "_total"
	}
	return name
}

// points returns the values of a metric by its attributes; of a histogram, its
// count.
func points(m metricdata.Metrics) map[string]float64 {
	all := make(map[string]float64)
	key := func(set attribute.Set) string { return fmt.Sprint(set.Encoded(attribute.DefaultEncoder())) }
	switch data := m.Data.(type) {
	case metricdata.Sum[float64]:
		for _, p := range data.DataPoints {
			all[key(p.Attributes)] = p.Value
		}
	case metricdata.Gauge[float64]:
		for _, p := range data.DataPoints {
			all[key(p.Attributes)] = p.Value
		}
	case metricdata.Histogram[float64]:
		for _, p := range data.DataPoints {
			all[key(p.Attributes)] = float64(p.Count)
		}
	}
	return all
}

// differently are the counters whose unit is a time.
var differently = map[string]string{
	"holdfast_circuitbreaker_state_time_seconds_total": "holdfast_circuitbreaker_state_seconds_total",
	"holdfast_sql_wait_time_seconds_total":             "holdfast_sql_wait_seconds_total",
	"holdfast_redis_wait_time_seconds_total":           "holdfast_redis_wait_seconds_total",
}

func TestPrometheusGetsTheSameSeriesFromOpenTelemetry(t *testing.T) {
	r := newRig(t)
	exercise(t, r)
	registry := prometheus.NewRegistry()
	registry.MustRegister(r.Metrics())
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]map[string]float64)
	for _, f := range families {
		if f.GetName() == "holdfast_build_info" || strings.HasSuffix(f.GetName(), "state_seconds_total") { // this one moves on
			continue
		}
		series := make(map[string]float64)
		for _, m := range f.GetMetric() {
			var set []attribute.KeyValue
			for _, l := range m.GetLabel() {
				set = append(set, attribute.String(l.GetName(), l.GetValue()))
			}
			n := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			if m.Histogram == nil || n > 0 { // OpenTelemetry has no empty histograms
				all := attribute.NewSet(set...)
				series[all.Encoded(attribute.DefaultEncoder())] = n
			}
		}
		if len(series) > 0 {
			want[f.GetName()] = series
		}
	}
	got := make(map[string]map[string]float64)
	for _, m := range r.collect() {
		if name := prometheusName(m); differently[name] == "" {
			got[name] = points(m)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if !maps.Equal(got[name], want[name]) {
			t.Errorf("%s:\n%v from OpenTelemetry\n%v from Prometheus", name, got[name], want[name])
		}
	}
	if len(want) < 45 || len(got) != len(want) {
		t.Errorf("%d metrics, and %d of Prometheus", len(got), len(want))
	}
}

func TestEverySeriesOfTheCatalogueHasAName(t *testing.T) {
	r := newRig(t, otel.WithMetrics(metrics.WithKeyLabel("room_id", lock.Resource.Name, 10)))
	exercise(t, r)
	for name, m := range r.collect() {
		if strings.Contains(name, "seconds") || strings.Contains(name, "bytes") || strings.Contains(name, "total") || m.Description == "" {
			t.Errorf("%s in %q: %s", name, m.Unit, m.Description)
		}
	}
	for name, unit := range map[string]string{
		"holdfast.lock.operation.duration":                "s",
		"holdfast.circuitbreaker.calls":                   "{call}",
		"holdfast.circuitbreaker.state_time":              "s",
		"holdfast.circuitbreaker.failure_ratio":           "1",
		"holdfast.session.size":                           "By",
		"holdfast.session.cleanup_last_success_timestamp": "s",
		"holdfast.audit.retries":                          "{retry}",
		"holdfast.lock.key_conflicts":                     "{conflict}",
	} {
		if m, ok := r.collect()[name]; !ok && name != "holdfast.session.size" || ok && m.Unit != unit {
			t.Errorf("%s is there: %v, in %q, want %q", name, ok, m.Unit, unit)
		}
	}
}

func TestExemplarsLeadToTheTraceOfTheOperation(t *testing.T) {
	r := newRig(t, otel.WithMetrics(metrics.WithTraceID(otel.TraceID)))
	exercise(t, r)
	trace := r.caller.SpanContext().TraceID()
	took := r.collect()["holdfast.lock.operation.duration"].Data.(metricdata.Histogram[float64])
	for _, p := range took.DataPoints {
		if len(p.Exemplars) == 0 || string(p.Exemplars[0].TraceID) != string(trace[:]) {
			t.Errorf("%v: exemplars %v", p.Attributes, p.Exemplars)
		}
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(r.Metrics())
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprint(families)
	if !strings.Contains(text, trace.String()) {
		t.Errorf("no exemplar %s for Prometheus", trace)
	}
}

func TestAfterCloseNothingIsRead(t *testing.T) {
	r := newRig(t)
	exercise(t, r)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, ok := r.collect()["holdfast.circuitbreaker.calls"]; ok {
		t.Error("it is still read")
	}
}

func TestWhatIsWrongWithTheOptionsIsReported(t *testing.T) {
	if _, err := otel.New(nil, otel.WithMetrics(metrics.WithGroupMembers(-1))); err == nil {
		t.Error("no error")
	}
}
