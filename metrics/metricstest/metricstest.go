// SPDX-License-Identifier: MIT

// Package metricstest has assertions on metrics for the tests of programs.
//
//	metricstest.Rises(t, registry, `holdfast_lock_conflicts_total{manager="rooms"}`, 1, func() {
//		answer := bot.Ask("room 101, tonight") // which somebody holds
//		...
//	})
//
// A selector is written as in Prometheus, with a name and, in braces, labels
// that have to be equal. A label that is left out may have any value: what
// matches is added up, as sum() would. Of a histogram, name_count and name_sum
// can be selected. A selector that matches nothing fails the test, so that a
// mistyped one never passes for 0.
package metricstest

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// Value returns the sum of the series that the selector matches.
func Value(t testing.TB, g prometheus.Gatherer, selector string) float64 {
	t.Helper()
	v, err := value(g, selector)
	if err != nil {
		t.Fatal("metricstest: ", err)
	}
	return v
}

// Want compares the sum of what each selector matches, up to the rounding of
// floats.
func Want(t testing.TB, g prometheus.Gatherer, want map[string]float64) {
	t.Helper()
	for _, selector := range slices.Sorted(maps.Keys(want)) {
		if got := Value(t, g, selector); !near(got, want[selector]) {
			t.Errorf("%s = %v, want %v", selector, got, want[selector])
		}
	}
}

// Rises runs do and tells by how much the selected sum has to have risen in
// the meantime. The series has to be there before, as those of holdfast are
// from the moment that the breaker, manager or log exists.
func Rises(t testing.TB, g prometheus.Gatherer, selector string, by float64, do func()) {
	t.Helper()
	before := Value(t, g, selector)
	do()
	if rise := Value(t, g, selector) - before; !near(rise, by) {
		t.Errorf("%s rose by %v, want %v", selector, rise, by)
	}
}

// Lint fails the test for each metric on which the linter of Prometheus has
// something to say, except for those named.
func Lint(t testing.TB, g prometheus.Gatherer, except ...string) {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal("metricstest: ", err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal("metricstest: ", err)
	}
	for _, p := range problems {
		if !slices.Contains(except, p.Metric) {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b)) }

func value(g prometheus.Gatherer, selector string) (float64, error) {
	name, labels, err := parse(selector)
	if err != nil {
		return 0, err
	}
	families, err := g.Gather()
	if err != nil {
		return 0, err
	}
	sum, found := 0.0, false
	add := func(exposed string, v float64) {
		if exposed == name {
			sum, found = sum+v, true
		}
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			switch h := m.GetHistogram(); {
			case !matches(m.GetLabel(), labels):
			case m.GetCounter() != nil:
				add(f.GetName(), m.GetCounter().GetValue())
			case m.GetGauge() != nil:
				add(f.GetName(), m.GetGauge().GetValue())
			case h != nil:
				add(f.GetName()+"_count", float64(h.GetSampleCount()))
				add(f.GetName()+"_sum", h.GetSampleSum())
			}
		}
	}
	if !found {
		return 0, fmt.Errorf("nothing matches %s", selector)
	}
	return sum, nil
}

// matches tells whether the labels of a metric are what is asked for.
func matches[P interface {
	GetName() string
	GetValue() string
}](pairs []P, labels map[string]string) bool {
	found := 0
	for _, l := range pairs {
		if want, asked := labels[l.GetName()]; asked {
			if l.GetValue() != want {
				return false
			}
			found++
		}
	}
	return found == len(labels)
}

// parse reads name or name{label="value",...}.
func parse(selector string) (name string, labels map[string]string, err error) {
	wrong := func(why string) error { return fmt.Errorf("selector %q: %s", selector, why) }
	name, rest, braces := strings.Cut(strings.TrimSpace(selector), "{")
	if name = strings.TrimSpace(name); name == "" {
		return "", nil, wrong("no name")
	}
	labels = make(map[string]string)
	if !braces {
		return name, labels, nil
	}
	for {
		rest = strings.TrimSpace(rest)
		if rest == "}" {
			return name, labels, nil
		}
		label, quoted, ok := strings.Cut(rest, "=")
		if !ok {
			return "", nil, wrong(`want label="value" or }`)
		}
		text, err := strconv.QuotedPrefix(strings.TrimSpace(quoted))
		if err != nil {
			return "", nil, wrong("a value without quotes")
		}
		_, rest, _ = strings.Cut(quoted, text)
		rest = strings.TrimSpace(rest)
		rest, ok = strings.CutPrefix(rest, ",")
		if !ok && rest != "}" {
			return "", nil, wrong("want a comma or } after a value")
		}
		labels[strings.TrimSpace(label)], _ = strconv.Unquote(text)
	}
}
