// SPDX-License-Identifier: MIT

// Package metricstest has assertions on metrics for the tests of programs.
//
//	metricstest.Rises(t, registry, `holdfast_lock_conflicts_total{manager="rooms"}`, 1, func() {
//		answer := bot.Ask("room 101, tonight") // another guest holds it
//		...
//	})
//
// A selector is written as in Prometheus: a name and, in braces, labels that
// must be equal. A label that is left out matches any value, and all series that
// match are added up, as by sum(). Of a histogram, name_count and name_sum can be
// selected. A selector that matches nothing fails the test, so a misspelt one is
// never read as 0. So does a nil gatherer.
package metricstest

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-go/holdfast/internal/configerr"
)

// Value returns the sum of the series that the selector matches. It fails the
// test if there is none.
func Value(t testing.TB, g prometheus.Gatherer, selector string) float64 {
	t.Helper()
	v, err := value(g, selector)
	if err != nil {
		t.Fatal("metricstest: ", err)
	}
	return v
}

// Want fails the test for each selector whose sum is not the wanted one, up to
// the rounding of floats.
func Want(t testing.TB, g prometheus.Gatherer, want map[string]float64) {
	t.Helper()
	for _, selector := range slices.Sorted(maps.Keys(want)) {
		if got := Value(t, g, selector); !near(got, want[selector]) {
			t.Errorf("%s = %v, want %v", selector, got, want[selector])
		}
	}
}

// Rises calls do and fails the test if the selected sum did not rise by exactly
// that much. The series must exist before: those of holdfast exist as soon as
// the breaker, manager or log does.
func Rises(t testing.TB, g prometheus.Gatherer, selector string, by float64, do func()) {
	t.Helper()
	before := Value(t, g, selector)
	do()
	if rise := Value(t, g, selector) - before; !near(rise, by) {
		t.Errorf("%s rose by %v, want %v", selector, rise, by)
	}
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b)) }

func value(g prometheus.Gatherer, selector string) (float64, error) {
	name, labels, err := parse(selector)
	if err != nil {
		return 0, err
	}
	if configerr.IsNil(g) {
		return 0, errors.New("the gatherer is nil, want a registry")
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

// matches reports whether a metric has the labels.
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
