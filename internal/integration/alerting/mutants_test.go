// SPDX-License-Identifier: MIT

package alerting

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"gopkg.in/yaml.v3"
)

// mutant is a rule with one fault in it.
type mutant struct {
	file, alert, what string
	rule              rulefmt.Rule
}

func (m mutant) String() string { return m.file + ": " + m.alert + ": " + m.what }

// harmless are mutants that change nothing that can be observed, by a part of
// what they are called, with the reason.
var harmless = map[string]string{
	"holdfast_session_limit > 0: 0 becomes 1":                      "a limit is 0 or many",
	"holdfast_session_cleanup_interval_seconds > 0: 0 becomes 1":   "an interval is 0 or many seconds",
	"holdfast_audit_spool_limit_bytes > 0: 0 becomes 1":            "a limit is 0 or many bytes",
	"(holdfast_audit_verified_timestamp_seconds) > 0: 0 becomes 1": "a time is 0 or many seconds",
	"in `> 0` becomes": "of figures that are never negative, the sum is over 0 exactly when the highest is",
}

func (m mutant) harmless() bool {
	for what := range harmless {
		if strings.Contains(m.what, what) {
			return true
		}
	}
	return false
}

// mutants makes every fault that the list below knows, once for each place.
func mutants(t testing.TB, c catalogue) (all []mutant) {
	t.Helper()
	for file, groups := range rules(t) {
		for _, g := range groups.Groups {
			for _, r := range g.Rules {
				if r.Alert == "" {
					continue
				}
				for what, d := range map[string]model.Duration{
					"for is twice as long": 2 * r.For, "for is half as long": r.For / 2, "for is 0": 0, "for is 10 minutes longer": r.For + model.Duration(10*time.Minute),
				} {
					if d != r.For {
						m := mutant{file, r.Alert, what, r}
						m.rule.For = d
						all = append(all, m)
					}
				}
				for n := 0; ; n++ {
					expr, err := parser.ParseExpr(r.Expr)
					if err != nil {
						t.Fatal(err)
					}
					what, changed := mutate(expr, n, c)
					if what == "" {
						break
					}
					m := mutant{file, r.Alert, what, r}
					m.rule.Expr = changed.String()
					all = append(all, m)
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b mutant) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// mutate makes the nth fault of an expression, and says what it did, or "" when
// there are not so many.
func mutate(expr parser.Expr, n int, c catalogue) (what string, changed parser.Expr) {
	at := -1
	hit := func(format string, args ...any) bool {
		if at++; at == n {
			what = fmt.Sprintf(format, args...)
		}
		return at == n
	}
	overZero := make(map[parser.Expr]string)
	var walk func(parser.Expr) parser.Expr
	walk = func(e parser.Expr) parser.Expr {
		switch e := e.(type) {
		case *parser.ParenExpr:
			e.Expr = walk(e.Expr)
		case *parser.SubqueryExpr:
			e.Expr = walk(e.Expr)
		case *parser.MatrixSelector:
			e.VectorSelector = walk(e.VectorSelector)
		case *parser.Call:
			for i, arg := range e.Args {
				e.Args[i] = walk(arg)
			}
		case *parser.AggregateExpr:
			e.Expr = walk(e.Expr)
			other := map[parser.ItemType]parser.ItemType{parser.SUM: parser.MAX, parser.MAX: parser.SUM}[e.Op]
			if other != 0 && hit("%s%s becomes %s", e, overZero[e], other) {
				e.Op = other
			}
			if hit("%s without its aggregation", e) {
				return e.Expr
			}
		case *parser.BinaryExpr:
			place := e.String()
			if number, ok := e.RHS.(*parser.NumberLiteral); ok && number.Val == 0 && e.Op == parser.GTR {
				overZero[e.LHS] = " in `> 0`"
			}
			e.LHS, e.RHS = walk(e.LHS), walk(e.RHS)
			number, ok := e.RHS.(*parser.NumberLiteral)
			if !ok {
				break
			}
			before := number.Val
			if before == 0 && hit("%s: 0 becomes 1", place) {
				number.Val = 1
			}
			if before != 0 && hit("%s: 60 times %v", place, before) {
				number.Val *= 60
			}
			if before != 0 && hit("%s: %v / 60", place, before) {
				number.Val /= 60
			}
			if e.Op == parser.GTR && hit("%s: less, not more", place) {
				e.Op = parser.LSS
			}
		case *parser.VectorSelector:
			mutateSelector(e, c, hit)
		}
		return e
	}
	changed = walk(expr)
	return what, changed
}

func mutateSelector(s *parser.VectorSelector, c catalogue, hit func(string, ...any) bool) {
	place := s.String()
	for i, m := range s.LabelMatchers {
		set := func(typ labels.MatchType, value string) {
			s.LabelMatchers[i] = labels.MustNewMatcher(typ, m.Name, value)
		}
		if m.Name == model.MetricNameLabel {
			if hit("%s is renamed", place) {
				s.Name += "s"
				set(labels.MatchEqual, s.Name)
			}
			continue
		}
		list := alternatives(m)
		for k, v := range list {
			without := slices.Delete(slices.Clone(list), k, k+1)
			if len(without) > 0 && hit("%s: without %s", place, v) {
				set(m.Type, strings.Join(without, "|"))
			}
			for _, other := range c[s.Name].labels[m.Name] {
				if !slices.Contains(list, other) && hit("%s: %s becomes %s", place, v, other) {
					set(m.Type, strings.Join(append(without, other), "|"))
					break
				}
			}
		}
		if hit("%s: %s is negated", place, m.Name) {
			opposite := map[labels.MatchType]labels.MatchType{labels.MatchEqual: labels.MatchNotEqual, labels.MatchNotEqual: labels.MatchEqual, labels.MatchRegexp: labels.MatchNotRegexp, labels.MatchNotRegexp: labels.MatchRegexp}
			set(opposite[m.Type], m.Value)
		}
	}
}

func TestFaultsInRulesAreCaught(t *testing.T) {
	t.Parallel()
	_, addr := startBot(t, nil)
	c := everything(t, addr)
	all := mutants(t, c)
	share := 8 // one of so many, in the short form
	if os.Getenv("HOLDFAST_LONG") != "" {
		share = 1
	}
	var unseen []mutant // by the check of names, labels and values
	var tried, excused int
	for i, m := range all {
		switch {
		case i%share != 0:
			continue
		case m.harmless():
			excused++
		case c.check(m.rule.Expr) == nil:
			unseen = append(unseen, m)
		}
		tried++
	}
	survivors := surviveTests(t, unseen)
	for _, m := range survivors {
		t.Logf("not caught: %s", m)
	}
	faults := tried - excused
	t.Logf("%d faults: %d caught by names, labels and values, %d by the tests of alerts, %d not caught; %d more change nothing",
		faults, faults-len(unseen), len(unseen)-len(survivors), len(survivors), excused)
	if len(survivors) > 0 || len(all) < 900 {
		t.Errorf("%d of %d faults are not caught, of %d in all", len(survivors), faults, len(all))
	}
}

var verdict = regexp.MustCompile(`Unit Testing:\s+(\S+)\n\s+(SUCCESS|FAILED)`)

// surviveTests returns the mutants that pass the tests of their alert.
func surviveTests(t testing.TB, list []mutant) (survivors []mutant) {
	t.Helper()
	tests, original := testFiles(t), rules(t)
	dir := t.TempDir()
	of := make(map[string]int)
	passes := make([]bool, len(list))
	for i := range passes {
		passes[i] = true
	}
	var args []string
	for i, m := range list {
		groups := withRule(original[m.file], m)
		rulesFile := fmt.Sprintf("rules%d.yml", i)
		write(t, filepath.Join(dir, rulesFile), groups)
		for name, u := range tests {
			var own []unitTest
			for _, test := range u.Tests {
				if test.alert() == m.alert && concerns(test, m) {
					own = append(own, test)
				}
			}
			if own != nil {
				file := fmt.Sprintf("test%d_%s", i, name)
				write(t, filepath.Join(dir, file), unitTests{[]string{rulesFile}, u.EvaluationInterval, own})
				of[file] = i
				args = append(args, file)
			}
		}
	}
	seen := 0
	for batch := range slices.Chunk(args, 50) {
		out, _ := promtool(t, dir, append([]string{"test", "rules"}, batch...)...)
		for _, v := range verdict.FindAllStringSubmatch(out, -1) {
			seen++
			passes[of[v[1]]] = passes[of[v[1]]] && v[2] == "SUCCESS"
		}
	}
	if seen != len(args) {
		t.Fatalf("%d tests, %d verdicts", len(args), seen)
	}
	for i, m := range list {
		if passes[i] {
			survivors = append(survivors, m)
		}
	}
	return survivors
}

// concerns reports whether a test looks at the rule: several rules of one name
// differ in their windows.
func concerns(test unitTest, m mutant) bool {
	long := m.rule.Labels["long"]
	return long == "" || strings.Contains(test.Exprs[0].Expr, `long="`+long+`"`)
}

// withRule is the recording rules, and the mutant instead of the alerts.
func withRule(groups *rulefmt.RuleGroups, m mutant) rulefmt.RuleGroups {
	g := rulefmt.RuleGroup{Name: "mutant"}
	for _, group := range groups.Groups {
		for _, r := range group.Rules {
			if r.Record != "" && strings.Contains(m.rule.Expr, r.Record) {
				g.Rules = append(g.Rules, r)
			}
		}
	}
	g.Rules = append(g.Rules, m.rule)
	return rulefmt.RuleGroups{Groups: []rulefmt.RuleGroup{g}}
}

func write(t testing.TB, file string, content any) {
	t.Helper()
	text, err := yaml.Marshal(content)
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
