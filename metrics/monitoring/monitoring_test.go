// SPDX-License-Identifier: MIT

package monitoring

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// read returns the files that match, by path.
func read(t *testing.T, pattern string) map[string]string {
	t.Helper()
	names, err := fs.Glob(Files(), pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %v, %v", pattern, names, err)
	}
	all := make(map[string]string)
	for _, name := range names {
		content, err := fs.ReadFile(Files(), name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(content)
	}
	return all
}

var (
	alertLine   = regexp.MustCompile(`(?m)^      - alert: (\w+)$`)
	runbookLine = regexp.MustCompile(`(?m)^          runbook_url: https://github.com/holdfast-go/holdfast/blob/main/metrics/monitoring/runbooks/(\w+)\.md$`)
	panelLine   = regexp.MustCompile(`(?m)^          dashboard: '/d/([a-z-]+)\?viewPanel=(\d+)(&.*)?'$`)
)

// metricName is the first metric of a rule.
var metricName = regexp.MustCompile(`\b(holdfast|orchestrator|pms|nlp)_\w+`)

func (p boardPanel) shows(metric string) bool {
	return slices.ContainsFunc(p.Targets, func(q target) bool { return strings.Contains(q.Expr, metric) })
}

func alerts(t *testing.T) (names []string) {
	t.Helper()
	for _, content := range read(t, "alerts/*.yml") {
		for _, m := range alertLine.FindAllStringSubmatch(content, -1) {
			names = append(names, m[1])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func TestEachAlertLinksToItsOwnRunbookAndAPanelThatShowsItsMetric(t *testing.T) {
	boards := make(map[string]board)
	for _, content := range read(t, "dashboards/*.json") {
		b := decode(t, content)
		boards[b.UID] = b
	}
	books := read(t, "runbooks/*.md")
	// What rules of the example record, by what they record it from.
	record := strings.NewReplacer("job:orchestrator_errors:ratio", "orchestrator_requests_total ", "job:orchestrator_slow:ratio", "orchestrator_latency_seconds_bucket ")
	for name, content := range read(t, "alerts/*.yml") {
		for _, rule := range strings.Split(content, "      - ")[1:] {
			alert := alertLine.FindStringSubmatch("      - " + rule)
			if alert == nil {
				continue // a recording rule
			}
			if book := runbookLine.FindStringSubmatch(rule); book == nil || book[1] != alert[1] {
				t.Errorf("%s: %s links to the runbook %q", name, alert[1], book)
			}
			link := panelLine.FindStringSubmatch(rule)
			if link == nil {
				t.Errorf("%s: %s links to no panel", name, alert[1])
				continue
			}
			metric := metricName.FindString(record.Replace(rule))
			if !slices.ContainsFunc(boards[link[1]].Panels, func(p boardPanel) bool { return strconv.Itoa(p.ID) == link[2] && p.shows(metric) }) {
				t.Errorf("%s: panel %s of %s does not show %s, which %s is about", name, link[2], link[1], metric, alert[1])
			}
			if !strings.Contains(books["runbooks/"+alert[1]+".md"], "dashboard `"+link[1]+"`") {
				t.Errorf("the runbook of %s does not name the dashboard %s", alert[1], link[1])
			}
		}
	}
}

func TestEachAlertHasARunbookAndEachRunbookAnAlert(t *testing.T) {
	books := []string{}
	for name := range read(t, "runbooks/*.md") {
		if name != "runbooks/rollback.md" {
			books = append(books, strings.TrimSuffix(path.Base(name), ".md"))
		}
	}
	slices.Sort(books)
	if all := alerts(t); !slices.Equal(all, books) {
		t.Errorf("alerts   %q\nrunbooks %q", all, books)
	}
}

func TestARunbookSaysWhatToDo(t *testing.T) {
	heading := regexp.MustCompile(`(?m)^#.*$`)
	for name, content := range read(t, "runbooks/*.md") {
		if name == "runbooks/rollback.md" {
			continue
		}
		want := []string{"# " + strings.TrimSuffix(path.Base(name), ".md"), "## Meaning", "## Impact", "## Diagnosis", "## Mitigation", "## Rehearsal"}
		if got := heading.FindAllString(content, -1); !slices.Equal(got, want) {
			t.Errorf("%s has the headings %q", name, got)
		}
		for _, section := range heading.Split(content, -1)[2:] {
			if len(strings.TrimSpace(section)) < 10 {
				t.Errorf("%s has an empty section", name)
			}
		}
		if !strings.Contains(content, "```promql\n") {
			t.Errorf("%s has no query", name)
		}
	}
}

func TestExportAsTheyAre(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "alerts"), 0o755); err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(dir, "alerts", "mine.yml")
	if err := os.WriteFile(mine, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second writes over the first
		paths, err := Export(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range read(t, "*/*") {
			got, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
			if err != nil || string(got) != want || !slices.Contains(paths, name) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if kept, err := os.ReadFile(mine); err != nil || string(kept) != "mine" {
		t.Errorf("a file of the user's: %q, %v", kept, err)
	}
}

func TestWhatCannotBeWrittenIsAnError(t *testing.T) {
	dir := t.TempDir()
	taken := filepath.Join(dir, "alerts")
	if err := os.WriteFile(taken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for why, o := range map[string]Options{
		"alerts":                           {},
		`Namespace is "1st"`:               {Namespace: "1st"},
		`By is "1st"`:                      {By: []string{"1st"}},
		`By is "job"`:                      {By: []string{"job", "job"}},
		`Selector is "prod"`:               {Selector: "prod"},
		`Labels is "severity"`:             {Labels: map[string]string{"severity": "x"}},
		"ScrapeInterval is -1s":            {ScrapeInterval: -time.Second},
		"ObjectNamespace and ObjectLabels": {ObjectNamespace: "monitoring"},
	} {
		if paths, err := Export(dir, o); err == nil || paths != nil || !strings.HasPrefix(err.Error(), "monitoring: ") || !strings.Contains(err.Error(), why) {
			t.Errorf("%v, %v; want an error that says %s", paths, err, why)
		}
	}
}

// rendered returns a file as options ask for it.
func rendered(t *testing.T, o Options, name, content string) string {
	t.Helper()
	r, err := newRenderer(o)
	if err != nil {
		t.Fatal(err)
	}
	_, text := r.render(name, content)
	return text
}

func TestTheNamespaceIsThatOfTheProgram(t *testing.T) {
	for name, content := range read(t, "*/*") {
		got := rendered(t, Options{Namespace: "hotel"}, name, content)
		if strings.Contains(got, "holdfast_") || strings.Count(got, "hotel_") != strings.Count(content, "holdfast_") {
			t.Errorf("%s: names of metrics are left", name)
		}
		if path.Dir(name) == "alerts" && !strings.Contains(got, "github.com/holdfast-go/holdfast") {
			t.Errorf("%s: the links are not the same", name)
		}
		none := rendered(t, Options{NoNamespace: true}, name, content)
		if strings.Contains(none, "holdfast_") || strings.Contains(none, "(_") {
			t.Errorf("%s: a namespace is left", name)
		}
	}
}

func TestPrefixesOfDifferentNamespacesDiffer(t *testing.T) {
	names := []string{"", "hotel", "Hotel", "my_hotel", "my:hotel", "_", ":", strings.Repeat("long", 9), strings.Repeat("long", 10)}
	seen := make(map[string]string)
	for _, name := range names {
		p := prefix(name)
		if other, taken := seen[p]; taken {
			t.Errorf("%q and %q have the prefix %s", name, other, p)
		}
		seen[p] = name
		if uid := p + "-resilience"; len(uid) > 40 || !regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`).MatchString(uid) {
			t.Errorf("%q: no uid and no name of an object: %s", name, uid)
		}
	}
}

// The exporter replaces texts. A place that is written otherwise would keep the
// labels it has.
func TestOtherLabelsReplaceThoseOfTheServiceEverywhere(t *testing.T) {
	left := regexp.MustCompile(`(?i)\bcluster\b|\bnamespace\b`)
	for name, content := range read(t, "*/*") {
		if path.Dir(name) == "runbooks" {
			continue
		}
		got := rendered(t, Options{By: []string{"service"}}, name, content)
		if found := left.FindAllString(got, -1); found != nil {
			t.Errorf("%s: %q are left", name, found)
		}
		if rendered(t, Options{}, name, content) != content {
			t.Errorf("%s: without options it is another file", name)
		}
	}
}

func TestWindowsHoldFourScrapes(t *testing.T) {
	r, err := newRenderer(Options{ScrapeInterval: 90 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.rules("a[5m] b[6m] c[1h] d[1w:1h]"); got != "a[360s] b[6m] c[1h] d[1w:1h]" {
		t.Error(got)
	}
}

func TestTheOperatorsObjectHoldsTheSameRules(t *testing.T) {
	for name, content := range read(t, "alerts/*.yml") {
		got := rendered(t, Options{Operator: true}, name, content)
		head, body, ok := strings.Cut(got, "\nspec:\n")
		if !ok || !strings.HasPrefix(got, "# SPDX") || !strings.Contains(head, "\nkind: PrometheusRule\n") || !strings.HasSuffix(head, "name: holdfast-"+strings.TrimSuffix(path.Base(name), ".yml")) {
			t.Fatalf("%s: %.300s", name, got)
		}
		var back strings.Builder
		for line := range strings.Lines(body) {
			back.WriteString(strings.TrimPrefix(line, "  "))
		}
		if !strings.HasSuffix(content, "\n"+back.String()) || !strings.HasPrefix(back.String(), "groups:\n") {
			t.Errorf("%s: other rules: %.300s", name, back.String())
		}
	}
}
