// SPDX-License-Identifier: MIT

package monitoring

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

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
	boardLine   = regexp.MustCompile(`(?m)^          dashboard: (\S+)$`)
)

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

func TestEachAlertLinksToItsOwnRunbookAndADashboard(t *testing.T) {
	boards := make(map[string]bool)
	for _, content := range read(t, "dashboards/*.json") {
		boards[decode(t, content).UID] = true
	}
	for name, content := range read(t, "alerts/*.yml") {
		for _, rule := range strings.Split(content, "      - ")[1:] {
			alert := alertLine.FindStringSubmatch("      - " + rule)
			if alert == nil {
				continue // a recording rule
			}
			if book := runbookLine.FindStringSubmatch(rule); book == nil || book[1] != alert[1] {
				t.Errorf("%s: %s links to the runbook %q", name, alert[1], book)
			}
			if board := boardLine.FindStringSubmatch(rule); board == nil || !boards[board[1]] {
				t.Errorf("%s: %s names the dashboard %q", name, alert[1], board)
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
	for why, o := range map[string]Options{"alerts": {}, `namespace "1st"`: {Namespace: "1st"}} {
		if paths, err := Export(dir, o); err == nil || paths != nil || !strings.HasPrefix(err.Error(), "monitoring: ") || !strings.Contains(err.Error(), why) {
			t.Errorf("%v, %v; want an error that says %s", paths, err, why)
		}
	}
}

func TestTheNamespaceIsThatOfTheProgram(t *testing.T) {
	o := Options{Namespace: "hotel"}
	for name, content := range read(t, "*/*") {
		got := o.render(name, []byte(content))
		if bytes.Contains(got, []byte("holdfast_")) || bytes.Count(got, []byte("hotel_")) != strings.Count(content, "holdfast_") {
			t.Errorf("%s: names of metrics are left", name)
		}
		if path.Dir(name) == "alerts" && strings.Contains(content, "holdfast-go") && !bytes.Contains(got, []byte("github.com/holdfast-go/holdfast")) {
			t.Errorf("%s: the links have gone", name)
		}
	}
}

func TestTheOperatorsObjectHoldsTheSameRules(t *testing.T) {
	for name, content := range read(t, "alerts/*.yml") {
		got := string(Options{Operator: true}.render(name, []byte(content)))
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
