// SPDX-License-Identifier: MIT

package otel

import (
	"cmp"
	"context"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/holdfast-go/holdfast/metrics"
)

const namespace = "holdfast"

// instruments export what a Metrics counts: counters and gauges when they are
// read, histograms when they observe.
type instruments struct {
	registry   *prometheus.Registry
	read       map[string]metric.Float64Observable // by name in the catalogue
	histograms map[string]histogram
	callback   metric.Registration
}

type histogram struct {
	metric.Float64Histogram
	labels []metrics.Label
}

// start makes the instruments, before the first value is observed.
func (all *instruments) start(m *metrics.Metrics, meter metric.Meter) error {
	all.registry = prometheus.NewRegistry()
	all.read, all.histograms = make(map[string]metric.Float64Observable), make(map[string]histogram)
	var list []metric.Observable
	for _, s := range metrics.Catalog() {
		name, unit := translate(s)
		if !strings.HasPrefix(s.Name, namespace+"_") || s.Name == buildInfo {
			continue
		}
		var err error
		switch s.Type {
		case metrics.Histogram:
			h := histogram{labels: s.Labels}
			h.Float64Histogram, err = meter.Float64Histogram(name, metric.WithUnit(unit), metric.WithDescription(s.Help), metric.WithExplicitBucketBoundaries(s.Buckets...))
			all.histograms[s.Name] = h
		case metrics.Counter:
			all.read[s.Name], err = meter.Float64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(s.Help))
		default:
			all.read[s.Name], err = meter.Float64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(s.Help))
		}
		if err != nil {
			return err
		}
		if o := all.read[s.Name]; o != nil {
			list = append(list, o)
		}
	}
	if err := all.registry.Register(m); err != nil {
		return err
	}
	var err error
	all.callback, err = meter.RegisterCallback(all.collect, list...)
	return err
}

const buildInfo = namespace + "_build_info"

// observe is for metrics.WithObserved.
func (all *instruments) observe(ctx context.Context, name string, value float64, labels ...string) {
	h := all.histograms[name]
	var attributes []attribute.KeyValue
	for i, l := range h.labels {
		attributes = append(attributes, attribute.String(l.Name, labels[i]))
	}
	h.Record(ctx, value, metric.WithAttributes(attributes...))
}

// collect reads all counters and gauges.
func (all *instruments) collect(_ context.Context, o metric.Observer) error {
	families, err := all.registry.Gather()
	for _, f := range families {
		instrument := all.read[f.GetName()]
		if instrument == nil {
			continue
		}
		for _, m := range f.GetMetric() {
			var attributes []attribute.KeyValue
			for _, l := range m.GetLabel() {
				attributes = append(attributes, attribute.String(l.GetName(), l.GetValue()))
			}
			o.ObserveFloat64(instrument, cmp.Or(m.GetCounter().GetValue(), m.GetGauge().GetValue()), metric.WithAttributes(attributes...))
		}
	}
	return err
}

// translate returns the name and the unit that a series has by the semantic
// conventions: the area and the rest after dots, a duration after one more, and
// the unit in no name. What is counted is its unit.
func translate(s metrics.Series) (name, unit string) {
	area, rest, _ := strings.Cut(strings.TrimPrefix(s.Name, namespace+"_"), "_")
	rest = strings.TrimSuffix(rest, "_total")
	switch s.Unit {
	case "seconds":
		unit = "s"
		rest = strings.TrimSuffix(rest, "_seconds")
		if s.Type == metrics.Counter {
			rest += "_time"
		}
		if stem, ok := strings.CutSuffix(rest, "_duration"); ok {
			rest = stem + ".duration"
		}
	case "bytes":
		unit = "By"
		rest = strings.TrimSuffix(rest, "_bytes")
	default:
		if strings.HasSuffix(rest, "_ratio") {
			unit = "1"
		} else if one, plural := strings.CutSuffix(rest[strings.LastIndex(rest, "_")+1:], "s"); plural {
			unit = "{" + strings.Replace(one, "ie", "y", 1) + "}"
		}
	}
	return namespace + "." + area + "." + rest, unit
}
