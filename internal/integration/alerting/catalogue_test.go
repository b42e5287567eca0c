// SPDX-License-Identifier: MIT

package alerting

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/holdfast-go/holdfast/metrics"
)

// catalogue is what expressions may ask for, by name.
type catalogue map[string]entry

type entry struct {
	typ    metrics.Type
	labels map[string][]string // closed values; nil for a label with any
	series string              // as listed, without _bucket and the like
}

func (c catalogue) add(name string, typ metrics.Type, labels map[string][]string, buckets []float64) {
	with := func(extra map[string][]string) map[string][]string {
		all := map[string][]string{"cluster": nil, "namespace": nil, "job": nil, "instance": nil}
		for _, from := range []map[string][]string{labels, extra} {
			for k, v := range from {
				all[k] = v
			}
		}
		return all
	}
	if typ != metrics.Histogram {
		c[name] = entry{typ, with(nil), name}
		return
	}
	le := []string{"+Inf"}
	for _, b := range buckets {
		bound := strconv.FormatFloat(b, 'g', -1, 64)
		le = append(le, bound)
		if b == math.Trunc(b) { // as Prometheus 3 stores it
			le = append(le, bound+".0")
		}
	}
	c[name+"_bucket"] = entry{metrics.Counter, with(map[string][]string{"le": le}), name}
	c[name+"_sum"] = entry{metrics.Counter, with(nil), name}
	c[name+"_count"] = entry{metrics.Counter, with(nil), name}
}

// library is what metrics.Catalog lists, the original's names or all others.
func library(original bool) catalogue {
	c := make(catalogue)
	for _, s := range metrics.Catalog() {
		if (s.Needs == "WithOriginalNames") != original {
			continue
		}
		labels := make(map[string][]string)
		for _, l := range s.Labels {
			labels[l.Name] = l.Values
		}
		c.add(s.Name, s.Type, labels, s.Buckets)
	}
	return c
}

// everything is the library's catalogue, what a running bot exposes besides,
// and what the recording rules make.
func everything(t testing.TB, addr string) catalogue {
	t.Helper()
	c := library(false)
	for name, f := range scrape(t, addr) {
		if strings.HasPrefix(name, "holdfast_") {
			continue
		}
		labels := make(map[string][]string)
		var buckets []float64
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if !slices.Contains(labels[l.GetName()], l.GetValue()) {
					labels[l.GetName()] = append(labels[l.GetName()], l.GetValue())
				}
			}
			buckets = nil
			for _, b := range m.GetHistogram().GetBucket() {
				buckets = append(buckets, b.GetUpperBound())
			}
		}
		c.add(name, metrics.Type(strings.ToLower(f.GetType().String())), labels, buckets)
	}
	for _, groups := range rules(t) {
		for _, g := range groups.Groups {
			for _, r := range g.Rules {
				if r.Record != "" {
					c[r.Record] = entry{metrics.Gauge, map[string][]string{"cluster": nil, "namespace": nil, "job": nil}, r.Record}
				}
			}
		}
	}
	c.add("up", metrics.Gauge, nil, nil)
	c.add("ALERTS", metrics.Gauge, map[string][]string{"alertname": nil, "severity": nil, "alertstate": {"pending", "firing"}}, nil)
	return c
}

// scrape reads what a bot exposes.
func scrape(t testing.TB, addr string) map[string]*dto.MetricFamily {
	t.Helper()
	answer, err := http.Get("http://" + addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return families
}
