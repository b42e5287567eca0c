// SPDX-License-Identifier: MIT

package metricstest

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// recorder is a test that keeps what is reported to it.
type recorder struct {
	testing.TB
	said  []string
	fatal bool
}

func (t *recorder) Helper() {}
func (t *recorder) Errorf(format string, args ...any) {
	t.said = append(t.said, fmt.Sprintf(format, args...))
}
func (t *recorder) Fatal(args ...any) {
	t.said, t.fatal = append(t.said, fmt.Sprint(args...)), true
	panic(t)
}

// record runs f on a test of its own.
func record(f func(testing.TB)) (t *recorder) {
	t = new(recorder)
	defer func() {
		if r := recover(); r != nil && r != any(t) {
			panic(r)
		}
	}()
	f(t)
	return t
}

func registry() (*prometheus.Registry, *prometheus.CounterVec) {
	reg := prometheus.NewRegistry()
	calls := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "calls_total", Help: "Calls."}, []string{"breaker", "result"})
	calls.WithLabelValues("pms", "success").Add(2)
	calls.WithLabelValues("pms", "failure").Add(0.1)
	calls.WithLabelValues(`a"b,c}=`, "success").Add(5)
	wait := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "wait_seconds", Help: "Waits."})
	wait.Observe(3)
	wait.Observe(4)
	temperature := prometheus.NewGauge(prometheus.GaugeOpts{Name: "temperature_celsius", Help: "Now."})
	temperature.Set(-2)
	summary := prometheus.NewSummary(prometheus.SummaryOpts{Name: "summary_seconds", Help: "Is not read."})
	reg.MustRegister(calls, wait, temperature, summary)
	return reg, calls
}

func TestASelectorAddsUpWhatItMatches(t *testing.T) {
	reg, _ := registry()
	want := map[string]float64{
		`calls_total{breaker="pms",result="success"}`:        2,
		`calls_total{result="success",breaker="pms"}`:        2,
		` calls_total { breaker = "pms" , } `:                2.1,
		`calls_total`:                                        7.1,
		`calls_total{}`:                                      7.1,
		`calls_total{breaker="a\"b,c}="}`:                    5,
		"calls_total{breaker=`a\"b,c}=`,result=\"success\"}": 5,
		`wait_seconds_count`:                                 2,
		`wait_seconds_sum{}`:                                 7,
		`temperature_celsius`:                                -2,
	}
	Want(t, reg, want)
	for selector := range maps.Clone(want) {
		want[selector] += 0.01
	}
	if saw := record(func(t testing.TB) { Want(t, reg, want) }); len(saw.said) != len(want) {
		t.Errorf("%d values are wrong, reported are %d: %q", len(want), len(saw.said), saw.said)
	}
}

func TestASelectorThatMatchesNothingFails(t *testing.T) {
	reg, _ := registry()
	for _, selector := range []string{
		"", "{}", "call_total", "wait_seconds", "summary_seconds", `calls_total{breaker="PMS"}`, `calls_total{broker="pms"}`, `calls_total{broker=""}`,
		`calls_total{breaker="pms"`, `calls_total{breaker}`, `calls_total{breaker=pms}`, `calls_total{breaker="pms"}x`, `calls_total{`, `calls_total{breaker="pms"result="failure"}`,
	} {
		saw := record(func(t testing.TB) { Value(t, reg, selector) })
		if !saw.fatal || !strings.HasPrefix(saw.said[0], "metricstest: ") {
			t.Errorf("%s: reported %q", selector, saw.said)
		}
	}
}

func TestARiseIsOfTheTimeBetween(t *testing.T) {
	reg, calls := registry()
	one := func() { calls.WithLabelValues("pms", "failure").Inc() }
	Rises(t, reg, `calls_total{breaker="pms",result="failure"}`, 1, one)
	Rises(t, reg, `calls_total{result="success"}`, 0, one)
	if saw := record(func(t testing.TB) { Rises(t, reg, "calls_total", 2, one) }); len(saw.said) != 1 {
		t.Errorf("reported %q", saw.said)
	}
}

func TestARegistryThatFailsFailsTheTest(t *testing.T) {
	broken := prometheus.NewRegistry()
	broken.MustRegister(failing{})
	for name, f := range map[string]func(testing.TB){
		"Value":                   func(t testing.TB) { Value(t, broken, "x") },
		"Value of nil":            func(t testing.TB) { Value(t, nil, "x") },
		"Value of a nil registry": func(t testing.TB) { Value(t, (*prometheus.Registry)(nil), "x") },
	} {
		if !record(f).fatal {
			t.Errorf("%s goes on", name)
		}
	}
}

// failing is a collector of nothing but an error.
type failing struct{}

func (failing) Describe(chan<- *prometheus.Desc) {}
func (failing) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.NewInvalidMetric(prometheus.NewInvalidDesc(errors.New("no")), errors.New("no"))
}

func FuzzSelector(f *testing.F) {
	for _, s := range []string{`a{b="c"}`, "a", `a{b="c",d="\""}`, `a{`, `a{b=`, "a{b=`c`}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if name, labels, err := parse(s); err == nil && (name == "" || labels == nil) {
			t.Errorf("%q is read as nothing", s)
		}
	})
}
