// SPDX-License-Identifier: MIT

package site

import (
	"fmt"
	"slices"
	"strings"
	"sync"
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
	kind   chartKind
}

type chartKind uint8

const (
	level chartKind = iota // a gauge as it is
	rate                   // growth of a counter since the sample before
	mean                   // milliseconds per observation of a histogram since the sample before
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

// history is the latest minute of each chart. The zero value is empty.
type history struct {
	mu     sync.Mutex
	before [][2]float64 // sum and count at the latest sample
	curves [][]float64  // the oldest first
	drawn  []Spark      // the curves
	ended  []Count      // sessions, by cause
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
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = endedSessions(byName["holdfast_session_ended_total"])
	first := h.before == nil
	if first {
		h.before, h.curves = make([][2]float64, len(charts)), make([][]float64, len(charts))
		for i := range h.curves {
			h.curves[i] = make([]float64, samples) // a curve at rest stays as it is
		}
	}
	for i, c := range charts {
		sum, count := total(byName[c.Series], c.label)
		value := sum
		switch n := count - h.before[i][1]; {
		case c.kind == rate:
			value = sum - h.before[i][0]
		case c.kind == mean && n > 0:
			value = (sum - h.before[i][0]) / n * 1000
		case c.kind == mean:
			value = 0
		}
		h.before[i] = [2]float64{sum, count}
		if first && c.kind != level {
			value = 0 // the growth is unknown
		}
		h.curves[i] = append(h.curves[i][1:], value)
	}
	h.drawn = h.draw()
}

// total adds up the series that carry the label; count is of histograms.
func total(f *dto.MetricFamily, label string) (sum, count float64) {
	name, value, _ := strings.Cut(label, "=")
	for _, m := range f.GetMetric() {
		wanted := label == ""
		for _, l := range m.GetLabel() {
			wanted = wanted || l.GetName() == name && l.GetValue() == value
		}
		if !wanted {
			continue
		}
		sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetHistogram().GetSampleSum()
		count += float64(m.GetHistogram().GetSampleCount())
	}
	return sum, count
}

// Spark is a chart as the page draws it, 120 wide and 28 high.
type Spark struct {
	chart
	Now, Most string
	Points    string // of an SVG polyline
}

// sparks returns the charts as they were drawn last.
func (h *history) sparks() []Spark {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.drawn == nil {
		h.drawn = h.draw()
	}
	return h.drawn
}

func (h *history) draw() []Spark {
	all := make([]Spark, len(charts))
	for i, c := range charts {
		all[i] = Spark{chart: c, Now: "0", Most: "0"}
		if h.curves == nil {
			continue
		}
		curve := h.curves[i]
		most := 0.0
		for _, v := range curve {
			most = max(most, v)
		}
		all[i].Now, all[i].Most, all[i].Points = c.format(curve[len(curve)-1]), c.format(most), points(curve, most)
	}
	return all
}

func (c chart) format(v float64) string {
	switch {
	case c.kind == mean && v > 0 && v < 10:
		return fmt.Sprintf("%.1f ms", v)
	case c.kind == mean:
		return fmt.Sprintf("%.0f ms", v)
	case c.kind == rate:
		return fmt.Sprintf("%.0f/s", v)
	}
	return fmt.Sprintf("%.0f", v)
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

// removed are the sessions that this process found ended, by cause.
func (h *history) removed() []Count {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ended
}

// Count is a number of something.
type Count struct {
	What string
	N    int
}

// endedSessions are those of conversations.
func endedSessions(f *dto.MetricFamily) (counts []Count) {
	for _, m := range f.GetMetric() {
		if !slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetName() == "manager" && l.GetValue() == "chats" }) {
			continue
		}
		for _, l := range m.GetLabel() {
			if n := int(m.GetCounter().GetValue()); l.GetName() == "reason" && n > 0 {
				counts = append(counts, Count{l.GetValue(), n})
			}
		}
	}
	slices.SortFunc(counts, func(a, b Count) int { return strings.Compare(a.What, b.What) })
	return counts
}
