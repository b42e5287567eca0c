// SPDX-License-Identifier: MIT

package alerting

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
)

var (
	queryBlock = regexp.MustCompile("(?s)```promql\n(.*?)```")
	labelUsed  = regexp.MustCompile(`\$labels\.(\w+)`)
)

// query is one expression and where it stands.
type query struct{ where, expr string }

// queries lists all expressions of rules, runbooks and dashboards.
func queries(t testing.TB) (all []query) {
	t.Helper()
	for file, groups := range rules(t) {
		for _, g := range groups.Groups {
			for _, r := range g.Rules {
				all = append(all, query{file + ": " + r.Alert + r.Record, r.Expr})
			}
		}
	}
	for name, content := range files(t, "runbooks/*.md") {
		for _, m := range queryBlock.FindAllSubmatch(content, -1) {
			all = append(all, query{name, string(m[1])})
		}
	}
	for _, p := range panels(t) {
		for _, expr := range p.queries {
			all = append(all, query{p.where, expr})
		}
	}
	return all
}

type panel struct {
	where   string
	quiet   bool // may be empty, as its description says
	queries []string
}

// panels lists the panels of all dashboards, with their variables filled in.
func panels(t testing.TB) (all []panel) {
	t.Helper()
	variable := regexp.MustCompile(`"\$[a-z]+"`)
	for name, content := range files(t, "dashboards/*.json") {
		var board struct {
			Panels []struct {
				Title, Description string
				Targets            []struct{ Expr string }
			}
		}
		if err := json.Unmarshal(content, &board); err != nil {
			t.Fatal(err)
		}
		for _, p := range board.Panels {
			one := panel{where: name + ": " + p.Title, quiet: strings.Contains(p.Description, "Quiet by design: ")}
			for _, q := range p.Targets {
				one.queries = append(one.queries, variable.ReplaceAllString(strings.ReplaceAll(q.Expr, "$__rate_interval", "5m"), `".*"`))
			}
			all = append(all, one)
		}
	}
	return all
}

func TestEveryExpressionAsksForWhatThereIs(t *testing.T) {
	_, addr := startBot(t, nil)
	c := everything(t, addr)
	used := make(map[string]bool)
	n := 0
	for _, q := range queries(t) {
		n++
		for _, wrong := range c.check(q.expr) {
			t.Errorf("%s: %s", q.where, wrong)
		}
		if expr, err := parser.ParseExpr(q.expr); err == nil {
			parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
				if s, ok := n.(*parser.VectorSelector); ok {
					used[c[s.Name].series] = true
				}
				return nil
			})
		}
	}
	if n < 200 {
		t.Errorf("only %d expressions were found", n)
	}
	for _, e := range library(false) {
		if !used[e.series] {
			t.Errorf("nothing looks at %s", e.series)
		}
	}
}

// What a runbook says to rehearse with has to work on the bot.
// Without this, a check that accepts everything would look the same.
func TestTheCheckFindsWhatIsWrong(t *testing.T) {
	c := library(false)
	c["r:x"] = entry{"gauge", map[string][]string{"job": nil}, "r:x"}
	for text, says := range map[string]string{
		`sum(rate(holdfast_lock_operation_total[5m]))`:                                       "there is no",
		`sum(rate(holdfast_lock_operations_total{reslut="error"}[5m]))`:                      "no label reslut",
		`sum(rate(holdfast_lock_operations_total{result="sucess"}[5m]))`:                     `never "sucess"`,
		`sum(rate(holdfast_lock_operations_total{result=~"error|failed"}[5m]))`:              `never "failed"`,
		`sum(rate(holdfast_lock_operation_duration_seconds_bucket{le="0.2"}[5m]))`:           `never "0.2"`,
		`sum(rate(holdfast_session_active[5m]))`:                                             "rate of the gauge",
		`sum(holdfast_lock_conflicts_total) > 1`:                                             "without a rate",
		`deriv(holdfast_lock_conflicts_total[5m])`:                                           "without a rate",
		`sum by (breaker) (rate(holdfast_lock_conflicts_total[5m]))`:                         "groups by breaker",
		`sum without (job) (rate(holdfast_lock_conflicts_total[5m]))`:                        "not to be seen",
		`histogram_quantile(0.9, sum(rate(holdfast_lock_wait_duration_seconds_bucket[5m])))`: "no buckets",
		`sum(holdfast_lock_held) or sum(holdfast_lock_waiting)`:                              "drops a side",
		`sum by (job) (holdfast_lock_held) > sum by (job, manager) (holdfast_lock_waiting)`:  "never match",
		`sum(rate(holdfast_lock_operations_total{result=~"error"}[5m]))`:                     "no pattern",
		`sum(holdfast_lock_held`:                                                             "parse error",
	} {
		if wrong := strings.Join(c.check(text), "; "); !strings.Contains(wrong, says) {
			t.Errorf("%s: %q does not say %q", text, wrong, says)
		}
	}
}

// fragile returns the arithmetic of two aggregations in an expression. After a
// restart of Prometheus, one of them may be complete before the other.
func fragile(t testing.TB, text string) (found []string) {
	expr, err := parser.ParseExpr(text)
	if err != nil {
		t.Fatal(err)
	}
	aggregated := func(e parser.Expr) bool {
		for {
			inner, ok := e.(*parser.ParenExpr)
			if !ok {
				_, ok := e.(*parser.AggregateExpr)
				return ok
			}
			e = inner.Expr
		}
	}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if b, ok := n.(*parser.BinaryExpr); ok && !b.Op.IsComparisonOperator() && !b.Op.IsSetOperator() && aggregated(b.LHS) && aggregated(b.RHS) {
			found = append(found, b.String())
		}
		return nil
	})
	return found
}

func TestAnAlertOnAShareWaits(t *testing.T) {
	for file, groups := range rules(t) {
		for _, g := range groups.Groups {
			for _, r := range g.Rules {
				if found := fragile(t, r.Expr); r.Alert != "" && r.For == 0 && found != nil {
					t.Errorf("%s: %s has no for, and %s", file, r.Alert, found[0])
				}
			}
		}
	}
	for text, want := range map[string]bool{
		"(sum(a)) / sum(b) > 1":      true,
		"sum(a) > 1 and sum(b) > 1":  false,
		"sum(a) > sum(b)":            false,
		"sum(a) / 2 > 1":             false,
		"c and sum(a) - sum(b) >= 3": true,
	} {
		if got := fragile(t, text) != nil; got != want {
			t.Errorf("%s is fragile: %v, want %v", text, got, want)
		}
	}
}

// What an alert says of a label that its expression has lost is empty.
func TestAlertsSpeakOfLabelsThatTheyHave(t *testing.T) {
	for file, groups := range rules(t) {
		for _, g := range groups.Groups {
			for _, r := range g.Rules {
				if r.Alert == "" {
					continue
				}
				expr, err := parser.ParseExpr(r.Expr)
				if err != nil {
					t.Fatal(err)
				}
				have := outputLabels(expr)
				for _, text := range r.Annotations {
					for _, m := range labelUsed.FindAllStringSubmatch(text, -1) {
						if !slices.Contains(have, m[1]) {
							t.Errorf("%s: %s speaks of %s, has %q", file, r.Alert, m[1], have)
						}
					}
				}
				for _, label := range []string{"cluster", "namespace", "job"} {
					if r.Alert != "HoldfastMetricsAbsent" && !slices.Contains(have, label) {
						t.Errorf("%s: %s has lost the %s: %q", file, r.Alert, label, have)
					}
				}
				for _, name := range []string{"summary", "description", "runbook_url", "dashboard"} {
					if r.Annotations[name] == "" {
						t.Errorf("%s: %s has no %s", file, r.Alert, name)
					}
				}
				if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
					t.Errorf("%s: %s has the severity %q", file, r.Alert, r.Labels["severity"])
				}
			}
		}
	}
}
