// SPDX-License-Identifier: MIT

package metrics

import (
	"context"
	"database/sql/driver"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/lock"
)

func TestTheSecondOnOneRegistryIsAnError(t *testing.T) {
	reg := prometheus.NewRegistry()
	first, err := New(reg)
	if err != nil {
		t.Fatal(err)
	}
	second, err := New(reg)
	already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err)
	if second != nil || !ok || already.ExistingCollector != first || !strings.HasPrefix(err.Error(), "metrics: ") || !strings.Contains(err.Error(), "use the first Metrics") {
		t.Fatalf("New = %v, %v; want an AlreadyRegisteredError that names the first, and what to do", second, err)
	}
	if _, err := New(reg, WithNamespace("other")); err != nil {
		t.Fatalf("another namespace: %v", err)
	}
}

func TestANameThatIsTakenLeavesTheRegistryAsItWas(t *testing.T) {
	for _, s := range Catalog() {
		reg := prometheus.NewRegistry()
		reg.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: s.Name, Help: "taken"}))
		if m, err := New(reg, WithOriginalNames()); m != nil || err == nil || !strings.Contains(err.Error(), s.Name) {
			t.Errorf("%s is taken: New = %v, %v", s.Name, m, err)
		}
		if got := scrape(t, reg); len(got) != 1 {
			t.Errorf("%s is taken: half registered: %v", s.Name, got)
		}
	}
}

func TestNoRegistryMeansNotRegistered(t *testing.T) {
	m, err := New(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewPedanticRegistry()
	if err := prometheus.WrapRegistererWith(prometheus.Labels{"app": "bot"}, reg).Register(m); err != nil {
		t.Fatal(err)
	}
	if got := mentions(scrape(t, reg), `holdfast_build_info{app="bot"`); len(got) != 1 {
		t.Fatalf("build info: %v", got)
	}
}

func TestARegistryThatWasNeverMadeIsAnError(t *testing.T) {
	var reg *prometheus.Registry
	m, err := New(reg)
	if m != nil || !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "nil *prometheus.Registry") {
		t.Errorf("%v, %v", m, err)
	}
}

func TestTwoOnTwoRegistriesStayApart(t *testing.T) {
	one, _ := newMetrics(t)
	_, regTwo := newMetrics(t)
	for kind, meet := range meetOne {
		meet(one)
		if got := mentions(scrape(t, regTwo), "gone"); got != nil {
			t.Errorf("%s: seen by the other: %v", kind, got)
		}
	}
}

func TestContradictionsInTheOptionsAreErrors(t *testing.T) {
	name := lock.Resource.Name
	for _, c := range []struct {
		why  string
		opts []Option
		says []string
	}{
		{"namespace with a dash", []Option{WithNamespace("hold-fast")}, []string{"WithNamespace", `"hold-fast"`}},
		{"namespace that begins with a digit", []Option{WithNamespace("1st")}, []string{"WithNamespace"}},
		{"label with a colon", []Option{WithKeyLabel("a:b", name, 1)}, []string{`label of WithKeyLabel is "a:b"`}},
		{"reserved label", []Option{WithKeyLabel("__name__", name, 1)}, []string{"WithKeyLabel"}},
		{"empty label", []Option{WithKeyLabel("", name, 1)}, []string{"WithKeyLabel"}},
		{"no function", []Option{WithKeyLabel("room", nil, 1)}, []string{"key of WithKeyLabel is nil"}},
		{"no room", []Option{WithKeyLabel("room", name, 0)}, []string{"at least 1"}},
		{"buckets of no histogram", []Option{WithBuckets("holdfast_lock_waits", 1)}, []string{"WithBuckets", `"holdfast_lock_waits"`}},
		{"buckets that fall", []Option{WithBuckets("holdfast_lock_wait_duration_seconds", 2, 1)}, []string{"WithBuckets of holdfast_lock_wait_duration_seconds"}},
		{"buckets without a bound", []Option{WithBuckets("holdfast_lock_wait_duration_seconds")}, []string{"WithBuckets of holdfast_lock_wait_duration_seconds"}},
		{"buckets up to +Inf", []Option{WithBuckets("holdfast_lock_wait_duration_seconds", 1, math.Inf(1))}, []string{"WithBuckets of holdfast_lock_wait_duration_seconds"}},
		{"original names twice", []Option{WithNamespace(""), WithOriginalNames()}, []string{"WithOriginalNames"}},
		{"all at once", []Option{WithNamespace("é"), WithKeyLabel("", nil, -1)}, []string{"WithNamespace", `label of WithKeyLabel is ""`, "key of WithKeyLabel is nil", "max of WithKeyLabel is -1"}},
	} {
		for _, reg := range []prometheus.Registerer{nil, prometheus.NewRegistry()} {
			m, err := New(reg, c.opts...)
			if detail, ok := errors.AsType[*ConfigError](err); m != nil || !ok || detail.Field == "" || !errors.Is(err, ErrInvalid) {
				t.Errorf("%s: New = %v, %v", c.why, m, err)
				continue
			}
			for _, text := range c.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%s: %q does not say %q", c.why, err, text)
				}
			}
		}
	}
}

func TestTheNamespaceMayBeChosenOrLeftOut(t *testing.T) {
	for namespace, want := range map[string]string{"": "build_info", "a:b_1": "a:b_1_build_info"} {
		_, reg := newMetrics(t, WithNamespace(namespace))
		if got := mentions(scrape(t, reg), want+"{"); len(got) != 1 {
			t.Errorf("namespace %q: %v", namespace, got)
		}
	}
}

func TestANameThatIsNoTextCannotBreakAScrape(t *testing.T) {
	m, reg := newMetrics(t)
	b := named[circuitbreaker.Stats]("a\xffb")
	m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpNew, Source: b})
	m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpChanged, Source: b, To: circuitbreaker.Open})
	l := named[lock.Stats]("\xff")
	m.ObserveLock(background, lock.Event{Op: lock.OpAcquire, Source: l})
	expect(t, reg, map[string]float64{
		"holdfast_circuitbreaker_transitions_total{breaker=\"a\uFFFDb\",to=\"open\"}":                 1,
		"holdfast_lock_operations_total{manager=\"\uFFFD\",operation=\"acquire\",result=\"success\"}": 1,
	})
}

// noDatabase is a driver that connects to nothing.
type noDatabase struct{}

func (noDatabase) Connect(context.Context) (driver.Conn, error) { return nil, driver.ErrBadConn }
func (noDatabase) Driver() driver.Driver                        { return nil }
