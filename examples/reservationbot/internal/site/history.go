// SPDX-License-Identifier: MIT

package site

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

const (
	sampleEvery = time.Second
	samples     = 60
)

// chart is one curve: what is read from the registry at each sample.
type chart struct {
	Name   string // key of its title in the page's words
	Series string
	label  string // "name=value" that must be among the labels, or ""
	format string
}

// How a series becomes a value, by the format that shows it.
const (
	level = "%.0f"    // a gauge as it is
	rate  = "%.0f/s"  // growth of a counter since the sample before
	mean  = "%.1f ms" // milliseconds per observation of a histogram since the sample before
)

var charts = []chart{
	{"messages", "orchestrator_requests_total", "", rate},
	{"answer", "orchestrator_latency_seconds", "", mean},
	{"pmsCalls", "pms_operations_total", "", rate},
	{"pmsTime", "pms_api_latency_seconds", "", mean},
	{"fallbacks", "nlp_fallbacks_total", "", rate},
	{"conflicts", "holdfast_lock_operations_total", "result=conflict", rate},
	{"held", "holdfast_lock_held", "", level},
	{"queue", "holdfast_audit_queue_length", "", level},
}

// curve is the latest minute of a chart.
type curve struct {
	chart
	sum, count float64          // at the latest sample
	values     [samples]float64 // the oldest first
}

// Spark is a curve as the page draws it, 120 wide and 28 high.
type Spark struct {
	chart
	Now, Most string
	Points    string // of an SVG polyline
}

// history is the latest minute of each chart. One goroutine samples.
type history struct {
	curves []curve
	shown  atomic.Pointer[sampled]
}

// sampled is what the pages show of the latest sample.
type sampled struct {
	sparks []Spark
	ended  map[string]int // sessions that this process found ended, by cause
}

func newHistory() *history {
	h := &history{curves: make([]curve, len(charts))}
	for i, c := range charts {
		h.curves[i].chart = c
	}
	h.show(nil)
	return h
}

func (h *history) show(ended map[string]int) {
	shown := &sampled{ended: ended}
	for _, c := range h.curves {
		shown.sparks = append(shown.sparks, c.draw())
	}
	h.shown.Store(shown)
}

// sample reads the registry once.
func (h *history) sample(reg *prometheus.Registry) {
	families, err := reg.Gather()
	if err != nil && len(families) == 0 {
		return
	}
	byName := make(map[string]*dto.MetricFamily, len(families))
	for _, f := range families {
		byName[f.GetName()] = f
	}
	for i := range h.curves {
		h.curves[i].add(byName[charts[i].Series])
	}
	h.show(endedSessions(byName["holdfast_session_ended_total"]))
}

func (c *curve) add(f *dto.MetricFamily) {
	sum, count := 0.0, 0.0
	for _, m := range f.GetMetric() {
		if c.label == "" || has(m, c.label) {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetHistogram().GetSampleSum()
			count += float64(m.GetHistogram().GetSampleCount())
		}
	}
	value := sum
	switch c.format {
	case rate:
		value = sum - c.sum
	case mean:
		value = (sum - c.sum) / max(count-c.count, 1) * 1000
	}
	c.sum, c.count = sum, count
	copy(c.values[:], c.values[1:])
	c.values[samples-1] = value
}

func has(m *dto.Metric, label string) bool {
	return slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetName()+"="+l.GetValue() == label })
}

func (c *curve) draw() Spark {
	most := slices.Max(c.values[:])
	return Spark{c.chart, fmt.Sprintf(c.format, c.values[samples-1]), fmt.Sprintf(c.format, most), points(c.values[:], most)}
}

// points puts the newest sample at the right edge.
func points(curve []float64, most float64) string {
	const width, height = 120.0, 26.0
	if most == 0 {
		most = 1
	}
	var b strings.Builder
	for i, v := range curve {
		x := width * float64(samples-len(curve)+i) / (samples - 1)
		fmt.Fprintf(&b, "%.0f,%.0f ", x, 1+height*(1-v/most))
	}
	return strings.TrimSpace(b.String())
}

// endedSessions counts those of conversations by cause.
func endedSessions(f *dto.MetricFamily) map[string]int {
	counts := make(map[string]int)
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			if n := int(m.GetCounter().GetValue()); l.GetName() == "reason" && n > 0 && has(m, "manager=chats") {
				counts[l.GetValue()] = n
			}
		}
	}
	return counts
}
