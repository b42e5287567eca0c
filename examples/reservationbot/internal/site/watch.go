// SPDX-License-Identifier: MIT

package site

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/seal"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/lock"
)

// Watch remembers for a moment what the library reports while it happens. It
// observes the locks and the breaker; the zero value is ready.
type Watch struct {
	opened   atomic.Pointer[Window] // what opened the breaker last
	verified atomic.Pointer[Verified]

	mu      sync.Mutex
	clashes []clash // the oldest first
}

// clash is a refused stay.
type clash struct {
	stay hotel.Stay
	at   time.Time
}

const (
	flash    = 3 * time.Second // how long a clash shows on the calendar
	maxClash = 200
)

// ObserveLock implements [lock.Observer].
func (w *Watch) ObserveLock(_ context.Context, e lock.Event) {
	if e.Op == lock.OpAcquire && e.Result == lock.ResultConflict {
		w.clashed(hotel.StayOf(e.Resource))
	}
}

func (w *Watch) clashed(s hotel.Stay) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clashes = append(w.clashes, clash{s, time.Now()})
	w.clashes = w.clashes[max(len(w.clashes)-maxClash, 0):]
}

// recent returns the stays that were refused within the last seconds.
func (w *Watch) recent() (stays []hotel.Stay) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.clashes {
		if time.Since(c.at) < flash {
			stays = append(stays, c.stay)
		}
	}
	return stays
}

// ObserveBreaker implements [circuitbreaker.Observer].
func (w *Watch) ObserveBreaker(_ context.Context, e circuitbreaker.Event) {
	if e.Op != circuitbreaker.OpChanged || e.From != circuitbreaker.Closed {
		return // a failed probe opens it again: what opened it first stays
	}
	window := windowOf(e.Before.Window, e.Reason.String())
	w.opened.Store(&window)
}

// Verified is what the latest Verify of the audit trail has found.
type Verified struct {
	At       time.Time  `json:"at"`
	Intact   int64      `json:"intact"`
	Changed  []audit.ID `json:"changed,omitempty"` // rows
	Findings int64      `json:"findings"`          // of any kind, these included
}

// Verified notes what a Verify has found.
func (w *Watch) Verified(r seal.Report, err error) {
	if err != nil {
		return // the age of the latest one says so
	}
	w.verified.Store(&Verified{At: time.Now(), Intact: r.Intact, Changed: r.Changed.IDs, Findings: r.Findings()})
}

const (
	sampleEvery = time.Second
	samples     = 60
)

// Spark is a series of the registry and its latest minute.
type Spark struct {
	Name   string // key of its title in the page's words
	Series string
	format string
	result string // that is counted; "" = all

	sum, count float64          // at the latest sample
	values     [samples]float64 // the oldest first
}

// How a series becomes a value, by the format that shows it.
const (
	level = "%.0f"    // a gauge as it is
	rate  = "%.0f/s"  // growth of a counter since the sample before
	mean  = "%.1f ms" // milliseconds per observation of a histogram since the sample before
)

var charts = []Spark{
	{Name: "messages", Series: "orchestrator_requests_total", format: rate},
	{Name: "answer", Series: "orchestrator_latency_seconds", format: mean},
	{Name: "pmsCalls", Series: "pms_operations_total", format: rate},
	{Name: "pmsTime", Series: "pms_api_latency_seconds", format: mean},
	{Name: "fallbacks", Series: "nlp_fallbacks_total", format: rate},
	{Name: "conflicts", Series: "holdfast_lock_operations_total", format: rate, result: "conflict"},
	{Name: "held", Series: "holdfast_lock_held", format: level},
	{Name: "queue", Series: "holdfast_audit_queue_length", format: level},
}

// history is what the latest samples of the registry have.
type history struct {
	sparks []Spark
	ended  map[string]int // sessions that this process found ended, by cause
}

// sample reads the registry once.
func (s *Site) sample() {
	families, err := s.Registry.Gather()
	if err != nil && len(families) == 0 {
		return
	}
	byName := make(map[string]*dto.MetricFamily)
	for _, f := range families {
		byName[f.GetName()] = f
	}
	next := &history{slices.Clone(s.history.Load().sparks), endedSessions(byName["holdfast_session_ended_total"])}
	for i := range next.sparks {
		next.sparks[i].add(byName[next.sparks[i].Series])
	}
	s.history.Store(next)
}

func (s *Spark) add(f *dto.MetricFamily) {
	sum, count := 0.0, 0.0
	for _, m := range f.GetMetric() {
		if s.result == "" || has(m, "result", s.result) {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetHistogram().GetSampleSum()
			count += float64(m.GetHistogram().GetSampleCount())
		}
	}
	value := sum
	switch s.format {
	case rate:
		value = sum - s.sum
	case mean:
		value = (sum - s.sum) / max(count-s.count, 1) * 1000
	}
	s.sum, s.count = sum, count
	copy(s.values[:], s.values[1:])
	s.values[samples-1] = value
}

func has(m *dto.Metric, name, value string) bool {
	return slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetName() == name && l.GetValue() == value })
}

// Now is the latest value.
func (s Spark) Now() string { return fmt.Sprintf(s.format, s.values[samples-1]) }

// Most is the highest value.
func (s Spark) Most() string { return fmt.Sprintf(s.format, slices.Max(s.values[:])) }

// Points are those of an SVG polyline, 120 wide and 28 high.
func (s Spark) Points() string {
	most := slices.Max(s.values[:])
	if most == 0 {
		most = 1
	}
	var b strings.Builder
	for i, v := range s.values {
		fmt.Fprintf(&b, "%.0f,%.0f ", 120*float64(i)/(samples-1), 1+26*(1-v/most))
	}
	return strings.TrimSpace(b.String())
}

// endedSessions counts those of conversations by cause.
func endedSessions(f *dto.MetricFamily) map[string]int {
	counts := make(map[string]int)
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			if n := int(m.GetCounter().GetValue()); l.GetName() == "reason" && n > 0 && has(m, "manager", "chats") {
				counts[l.GetValue()] = n
			}
		}
	}
	return counts
}
