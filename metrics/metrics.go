// SPDX-License-Identifier: MIT

package metrics

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/internal/configerr"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/session"
)

// Metrics observes breakers, lock managers, session managers and audit logs,
// and is the [prometheus.Collector] of all their series. Make it with [New] and
// set it as the Config.Observer of each of them. It is safe for concurrent use.
//
// An event costs a few atomic additions and no allocation; a call through a
// breaker costs nothing. A scrape reads the Stats of each source and does no
// I/O.
type Metrics struct {
	descs   [numSeries]*prometheus.Desc
	version string

	breakers sources[circuitbreaker.Stats, breakerSeries]
	locks    sources[lock.Stats, lockSeries]
	sessions sources[session.Stats, sessionSeries]
	logs     sources[audit.Stats, logSeries]
	dbs      sources[sql.DBStats, struct{}]
	pools    sources[poolStats, struct{}]

	keys     *keys           // nil without WithKeyLabel
	original *originalSeries // nil without WithOriginalNames
}

var (
	_ prometheus.Collector    = (*Metrics)(nil)
	_ circuitbreaker.Observer = (*Metrics)(nil)
	_ lock.Observer           = (*Metrics)(nil)
	_ session.Observer        = (*Metrics)(nil)
	_ audit.Observer          = (*Metrics)(nil)
)

// New returns a Metrics registered with reg, as a whole or not at all. If reg is
// nil, it is not registered; nil options are skipped. Contradictions in the
// options, and a nil pointer as reg, are [ErrInvalid]. A name that reg has
// already is an error; a second Metrics of one namespace on one registry is a
// [prometheus.AlreadyRegisteredError]. Two of them on different registries share
// nothing.
func New(reg prometheus.Registerer, opts ...Option) (*Metrics, error) {
	c := config{namespace: defaultNamespace}
	for _, o := range opts {
		if o != nil {
			o(&c)
		}
	}
	c, err := c.withDefaults()
	if reg != nil && configerr.IsNil(reg) {
		err = errors.Join(err, fmt.Errorf("%w: the registerer is a nil %T, want one from prometheus.NewRegistry, or nil for none", ErrInvalid, reg))
	}
	if err != nil {
		return nil, err
	}
	m := &Metrics{version: version()}
	if c.key != nil {
		m.keys = newKeys(c.key, c.max)
	}
	if c.original {
		m.original = new(originalSeries)
	}
	for i, s := range catalog {
		labels := s.labelNames()
		if series(i) == lockKeyConflicts {
			labels = []string{cmp.Or(c.label, defaultKeyLabel)}
		}
		m.descs[i] = prometheus.NewDesc(s.fullName(c.namespace), s.Help, labels, nil)
	}
	m.breakers.totals, m.breakers.births = breakerTotals, newBreakerSeries
	m.locks.totals, m.locks.births = lockTotals, newLockSeries
	m.sessions.totals, m.sessions.births = sessionTotals, newSessionSeries
	m.logs.totals, m.logs.births = logTotals, newLogSeries
	m.dbs.totals, m.dbs.births = dbTotals, nothing
	m.pools.totals, m.pools.births = poolTotals, nothing

	if reg != nil {
		if err := reg.Register(m); err != nil {
			return nil, fmt.Errorf("metrics: register: %w", err)
		}
	}
	return m, nil
}

// made reports whether m was made with [New].
func (m *Metrics) made() bool { return m != nil && m.dbs.births != nil }

// nothing is what is counted for sources without events.
func nothing(string) *struct{} { return nil }

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for i, s := range catalog {
		if s.Needs == needsKey && m.keys == nil || s.Needs == needsOriginal && m.original == nil {
			continue
		}
		ch <- m.descs[i]
	}
}

// Collect implements [prometheus.Collector]. It reads memory only.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	o := output{m, ch}
	breakers, locks := m.breakers.collect(), m.locks.collect()
	sessions, logs, dbs := m.sessions.collect(), m.logs.collect(), m.dbs.collect()
	for _, r := range breakers {
		o.breaker(r)
	}
	for _, r := range locks {
		o.lock(r)
	}
	for _, r := range sessions {
		o.session(r)
	}
	for _, r := range logs {
		o.log(r)
	}
	for _, r := range dbs {
		o.db(r)
	}
	for _, r := range m.pools.collect() {
		o.pool(r)
	}
	if m.keys != nil {
		for key, n := range m.keys.snapshot() {
			o.put(lockKeyConflicts, float64(n), key)
		}
		o.put(labelOverflow, float64(m.keys.other.Load()))
	}
	if m.original != nil {
		o.original(breakers, sessions, dbs)
	}
	o.put(buildInfo, 1, m.version, runtime.Version())
}

// output sends series to a scrape.
type output struct {
	m  *Metrics
	ch chan<- prometheus.Metric
}

// put sends one counter or gauge.
func (o output) put(s series, value float64, labels ...string) {
	typ := prometheus.GaugeValue
	if catalog[s].Type == Counter {
		typ = prometheus.CounterValue
	}
	metric, err := prometheus.NewConstMetric(o.m.descs[s], typ, value, labels...)
	o.send(s, metric, err)
}

// send sends a metric, or the error of wrong labels, which fails the scrape.
func (o output) send(s series, metric prometheus.Metric, err error) {
	if err != nil {
		metric = prometheus.NewInvalidMetric(o.m.descs[s], err)
	}
	o.ch <- metric
}

// putOperation sends the counts of an operation by result.
func putOperation[O, R enum](o output, s series, t outcomes[O, R], label string, counts []atomic.Uint64) {
	for i := range counts {
		if n := counts[i].Load(); n > 0 || slices.Contains(t.results, R(i)) {
			o.put(s, float64(n), label, t.op.String(), R(i).String())
		}
	}
}

func (s Series) labelNames() []string {
	var names []string
	for _, l := range s.Labels {
		names = append(names, l.Name)
	}
	return names
}

func version() string {
	const module = "github.com/holdfast-go/holdfast"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, dep := range info.Deps {
		if dep.Path == module {
			return dep.Version
		}
	}
	if info.Main.Path == module {
		return cmp.Or(info.Main.Version, "unknown")
	}
	return "unknown"
}

// unix returns when something last happened, in seconds since 1970, or, before
// that, when its source was made: time() minus it then rises from there, and
// nothing looks overdue at the start.
func unix(happened, born time.Time) float64 {
	if happened.IsZero() {
		happened = born
	}
	return float64(happened.UnixNano()) / 1e9
}
