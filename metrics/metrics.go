// SPDX-License-Identifier: MIT

package metrics

import (
	"cmp"
	"context"
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
// An event costs a counter and up to two [prometheus.Histogram] observations,
// some hundred nanoseconds; a call through a breaker costs nothing. A scrape
// reads the Stats of each source and does no I/O.
//
// A source is held until it closes or is retired: see [Metrics.Retire].
type Metrics struct {
	descs      [numSeries]*prometheus.Desc
	histograms [numSeries]*prometheus.HistogramVec // nil for series of other types
	traceID    func(context.Context) string        // nil without WithTraceID
	observed   observed                            // nil without WithObserved
	version    string
	since      time.Time

	breakers sources[circuitbreaker.Stats, breakerSeries]
	locks    sources[lock.Stats, lockSeries]
	sessions sources[session.Stats, sessionSeries]
	logs     sources[audit.Stats, logSeries]
	dbs      sources[sql.DBStats, struct{}]
	pools    sources[poolStats, struct{}]

	members  members
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
	m := &Metrics{version: version(), since: time.Now(), traceID: c.traceID, observed: c.observed, members: members{max: c.members}}
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
		name := s.fullName(c.namespace)
		m.descs[i] = prometheus.NewDesc(name, s.Help, labels, nil)
		if s.Type == Histogram {
			m.histograms[i] = newHistograms(name, s, c.buckets[s.fullName(defaultNamespace)])
		}
	}
	label := c.labelOf
	m.breakers.start(label, breakerTotals, nil, nil)
	m.locks.start(label, lockTotals, m.newLockSeries, m.forget("manager", lockTook, lockWait, lockHold))
	m.sessions.start(label, sessionTotals, m.newSessionSeries, m.forget("manager", sessionTook, sessionBytes, sessionCleanupTook))
	m.logs.start(label, logTotals, m.newLogSeries, m.forget("log", auditTook))
	m.dbs.start(label, dbTotals, nil, nil)
	m.pools.start(label, poolTotals, nil, nil)

	if reg != nil {
		err := reg.Register(m)
		if _, already := errors.AsType[prometheus.AlreadyRegisteredError](err); already {
			err = fmt.Errorf("%w: use the first Metrics for all sources, or WithNamespace", err)
		}
		if err != nil {
			return nil, fmt.Errorf("metrics: register: %w", err)
		}
	}
	return m, nil
}

// made reports whether m was made with [New].
func (m *Metrics) made() bool { return m != nil && m.dbs.named != nil }

// Retire lets go of a source: a breaker, a lock manager, a session manager, an
// audit log, a database of [Metrics.DB] or a client of [Redis]. When its name
// has no other source, all series of the name end.
//
// A lock manager and an audit log are let go of when they close, and a breaker
// when its group drops it; their gauges end then, and the counts of their names
// stay, for the last scrape or push of a job. Retire is for a program that makes
// sources under ever new names: without it, the counts of each name take some
// kilobytes. Call it after the last use of the source: a later event of a manager
// or a log adds it again.
func (m *Metrics) Retire(source any) {
	if !m.made() || configerr.IsNil(source) {
		return
	}
	switch s := source.(type) {
	case circuitbreaker.Source:
		m.breakers.retire(s, s.Name())
		m.members.remove(s)
	case lock.Source:
		m.locks.retire(s, s.Name())
	case session.Source:
		m.sessions.retire(s, s.Name())
	case audit.Source:
		m.logs.retire(s, s.Name())
	default:
		m.dbs.retire(s)
		m.pools.retire(s)
	}
}

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
	for _, vec := range m.histograms {
		if vec != nil {
			vec.Collect(ch)
		}
	}
	o := output{m, ch, m.since}
	breakers, sessions, dbs := m.breakers.collect(), m.sessions.collect(), m.dbs.collect()
	each(o, breakers, output.breaker)
	each(o, m.locks.collect(), output.lock)
	each(o, sessions, output.session)
	each(o, m.logs.collect(), output.log)
	each(o, dbs, output.db)
	each(o, m.pools.collect(), output.pool)
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
	m     *Metrics
	ch    chan<- prometheus.Metric
	since time.Time // when the counters began
}

// each sends the series of every name.
func each[S, P any](o output, all []reading[S, P], send func(output, reading[S, P])) {
	for _, r := range all {
		o.since = r.since
		send(o, r)
	}
}

// put sends one counter or gauge, or the error of wrong labels, which fails the
// scrape.
func (o output) put(s series, value float64, labels ...string) {
	var metric prometheus.Metric
	var err error
	if catalog[s].Type == Counter {
		metric, err = prometheus.NewConstMetricWithCreatedTimestamp(o.m.descs[s], prometheus.CounterValue, value, o.since, labels...)
	} else {
		metric, err = prometheus.NewConstMetric(o.m.descs[s], prometheus.GaugeValue, value, labels...)
	}
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
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == module {
				return cmp.Or(m.Version, "unknown")
			}
		}
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
