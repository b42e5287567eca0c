// SPDX-License-Identifier: MIT

package metrics

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/session"
)

var update = flag.Bool("update", false, "rewrite the list of series in doc.go")

func TestTheCatalogueAndAScrapeAreTheSame(t *testing.T) {
	_, reg := everything(t, WithOriginalNames())
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	listed := make(map[string]Series)
	for _, s := range Catalog() {
		if _, twice := listed[s.Name]; twice {
			t.Errorf("%s is listed twice", s.Name)
		}
		listed[s.Name] = s
	}
	for _, f := range families {
		s, ok := listed[f.GetName()]
		delete(listed, f.GetName())
		switch {
		case !ok:
			t.Errorf("%s is exposed and not listed", f.GetName())
			continue
		case f.GetHelp() != s.Help:
			t.Errorf("%s: help %q, listed %q", s.Name, f.GetHelp(), s.Help)
		case f.GetType().String() != strings.ToUpper(string(s.Type)):
			t.Errorf("%s: type %s, listed %s", s.Name, f.GetType(), s.Type)
		}
		seen := make([]map[string]bool, len(s.Labels))
		for _, m := range f.GetMetric() {
			if len(m.GetLabel()) != len(s.Labels) {
				t.Fatalf("%s: labels %v, listed %v", s.Name, m.GetLabel(), s.Labels)
			}
			for i, l := range s.Labels {
				for _, p := range m.GetLabel() {
					if p.GetName() == l.Name {
						if seen[i] == nil {
							seen[i] = make(map[string]bool)
						}
						seen[i][p.GetValue()] = true
					}
				}
			}
			if s.Type == Histogram {
				var bounds []float64
				for _, b := range m.GetHistogram().GetBucket() {
					bounds = append(bounds, b.GetUpperBound())
				}
				if !slices.Equal(bounds, s.Buckets) {
					t.Errorf("%s: buckets %v, listed %v", s.Name, bounds, s.Buckets)
				}
			}
		}
		for i, l := range s.Labels {
			if seen[i] == nil {
				t.Errorf("%s has no label %s", s.Name, l.Name)
			}
			if l.Values == nil {
				continue
			}
			for v := range seen[i] {
				if !slices.Contains(l.Values, v) {
					t.Errorf("%s{%s=%q} is exposed and not listed", s.Name, l.Name, v)
				}
			}
			for _, v := range l.Values {
				if !seen[i][v] {
					t.Errorf("%s{%s=%q} is listed and not exposed", s.Name, l.Name, v)
				}
			}
		}
	}
	for name := range listed {
		t.Errorf("%s is listed and not exposed", name)
	}
}

func TestEveryCounterIsBornAtZero(t *testing.T) {
	_, reg := everything(t, WithOriginalNames())
	got := scrape(t, reg)
	for name, v := range got {
		if v != 0 && !strings.Contains(name, "build_info") && !strings.Contains(name, "timestamp") && name != `holdfast_circuitbreaker_state{breaker="pms",state="closed"}` {
			t.Errorf("%s = %v before anything happened", name, v)
		}
	}
	for _, o := range lockOutcomes {
		for _, r := range o.results {
			if _, ok := got[fmt.Sprintf("holdfast_lock_operations_total{manager=%q,operation=%q,result=%q}", "rooms", o.op, r)]; !ok {
				t.Errorf("lock: no series for %s, %s", o.op, r)
			}
		}
	}
	for _, o := range sessionOutcomes {
		for _, r := range o.results {
			if _, ok := got[fmt.Sprintf("holdfast_session_operations_total{manager=%q,operation=%q,result=%q}", "chats", o.op, r)]; !ok {
				t.Errorf("session: no series for %s, %s", o.op, r)
			}
		}
	}
}

func TestTheLinterFindsNothingButTheOriginalsOwnFault(t *testing.T) {
	for _, c := range []struct {
		opts []Option
		want []string
	}{
		{nil, nil},
		{[]Option{WithKeyLabel("room_id", lock.Resource.Name, 10)}, nil},
		{[]Option{WithOriginalNames()}, []string{"session_active_total"}},
	} {
		_, reg := everything(t, c.opts...)
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		problems, err := promlint.NewWithMetricFamilies(families).Lint()
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, p := range problems {
			names = append(names, p.Metric)
			t.Logf("%s: %s", p.Metric, p.Text)
		}
		if !slices.Equal(names, c.want) {
			t.Errorf("the linter complains of %v, want %v", names, c.want)
		}
	}
}

// The core packages may get new values; the catalogue must get them too.
func TestTheCatalogueKnowsEveryValueOfTheCores(t *testing.T) {
	for what, next := range map[string]fmt.Stringer{
		"circuitbreaker.State": circuitbreaker.State(len(breakerSeries{}.to)),
		"lock.Op":              lock.Op(len(lockSeries{}.ops)),
		"lock.Result":          lock.Result(len(lockSeries{}.ops[0])),
		"session.Op":           session.Op(len(sessionSeries{}.ops)),
		"session.Result":       session.Result(len(sessionSeries{}.ops[0])),
		"session.EndReason":    session.EndReason(len(sessionSeries{}.ended)),
		"audit.DropReason":     audit.DropReason(len(audit.DropReasons()) + 1),
	} {
		if next.String() != "unknown" {
			t.Errorf("%s has the value %s, which is counted nowhere", what, next)
		}
	}
	for op := lock.OpNew; int(op) < len(lockSeries{}.ops); op++ {
		if own := []lock.Op{lock.OpNew, lock.OpLost, lock.OpExpired, lock.OpClosed}; !slices.Contains(own, op) && !slices.Contains(operations(lockOutcomes), op.String()) {
			t.Errorf("lock operation %s is not in the catalogue", op)
		}
	}
	for op := session.OpNew; int(op) < len(sessionSeries{}.ops); op++ {
		if own := []session.Op{session.OpNew, session.OpEnded, session.OpUndecodable, session.OpCleanup}; !slices.Contains(own, op) && !slices.Contains(operations(sessionOutcomes), op.String()) {
			t.Errorf("session operation %s is not in the catalogue", op)
		}
	}
}

// One value per session, lease or guest is one series per session, lease or
// guest: they belong in logs and the audit trail.
func TestNoLabelNamesASingleThing(t *testing.T) {
	for _, s := range Catalog() {
		for _, l := range s.Labels {
			if slices.Contains([]string{"id", "key", "holder", "owner", "session", "session_id", "subject", "token", "user", "lease", "fence", "error"}, l.Name) {
				t.Errorf("%s has the label %s", s.Name, l.Name)
			}
		}
	}
}

func TestTheCatalogueIsTheCallersToChange(t *testing.T) {
	mine := Catalog()
	mine[lockOps].Labels[1].Values[0] = "changed"
	mine[lockTook].Buckets[0] = 99
	if again := Catalog(); again[lockOps].Labels[1].Values[0] == "changed" || again[lockTook].Buckets[0] == 99 {
		t.Fatal("a caller changed the catalogue of all")
	}
}

func TestTheOwnSeriesOfOneOfEachKindStayFew(t *testing.T) {
	reg := prometheus.NewRegistry()
	_, all := everything(t)
	for what, want := range map[string]struct {
		g     prometheus.Gatherer
		limit int
	}{
		"nothing":          {reg, 0},
		"one of each kind": {all, 450},
	} {
		n := lines(t, want.g)
		t.Logf("%s: %d series", what, n)
		if n > want.limit {
			t.Errorf("%s: %d series, want at most %d", what, n, want.limit)
		}
	}
}

// lines counts series as Prometheus does: each bucket is one.
func lines(t *testing.T, g prometheus.Gatherer) (n int) {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			n++
			if h := m.GetHistogram(); h != nil {
				n += len(h.GetBucket()) + 2 // +Inf, sum and count instead of one
			}
		}
	}
	return n
}

// Run with -update after a change of the catalogue.
func TestThePackageCommentListsEverySeries(t *testing.T) {
	const begin, end = "// # Series\n", "package metrics"
	data, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	head, rest, ok := strings.Cut(text, begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("doc.go has no %q before %q", begin, end)
	}
	want := head + begin + seriesComment() + end + tail
	if text == want {
		return
	}
	if !*update {
		t.Fatal("doc.go does not list the series as the catalogue does: run go test ./metrics -update")
	}
	if err := os.WriteFile("doc.go", []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func seriesComment() string {
	var b strings.Builder
	group := func(title string, keep func(Series) bool) {
		fmt.Fprintf(&b, "//\n// %s\n//\n", title)
		for _, s := range Catalog() {
			if !keep(s) {
				continue
			}
			var labels []string
			for _, l := range s.Labels {
				text := l.Name
				if l.Values != nil {
					text += "=" + strings.Join(l.Values, "|")
				}
				labels = append(labels, text)
			}
			fmt.Fprintf(&b, "//\t%s %s", s.Type, s.Name)
			if labels != nil {
				fmt.Fprintf(&b, "{%s}", strings.Join(labels, ", "))
			}
			fmt.Fprintf(&b, "\n//\t    %s", s.Help)
			if s.Buckets != nil {
				fmt.Fprintf(&b, " Buckets: %s.", strings.Trim(fmt.Sprint(s.Buckets), "[]"))
			}
			b.WriteString("\n")
		}
	}
	needs := func(what string) func(Series) bool { return func(s Series) bool { return s.Needs == what } }
	group("From the creation of the first breaker, manager or log of a name:", needs(""))
	group("With [Metrics.DB]:", needs(needsDB))
	group("With [Redis]:", needs(needsRedis))
	group("With [WithKeyLabel], under the label that it names:", needs(needsKey))
	group("With [WithOriginalNames], without a namespace:", needs(needsOriginal))
	return b.String()
}
