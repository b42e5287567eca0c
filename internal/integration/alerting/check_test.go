// SPDX-License-Identifier: MIT

package alerting

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/holdfast-go/holdfast/metrics"
)

// check returns what is wrong with an expression: names, labels and values
// that do not exist, rates of gauges, counters without a rate, groupings by
// labels that nothing below has, and quantiles without buckets.
func (c catalogue) check(text string) (wrong []string) {
	expr, err := parser.ParseExpr(text)
	if err != nil {
		return []string{err.Error()}
	}
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	parser.Inspect(expr, func(n parser.Node, path []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			c.selector(n, path, complain)
		case *parser.AggregateExpr:
			for _, label := range n.Grouping {
				if !c.have(n.Expr, label) {
					complain("%s groups by %s, which nothing below has", n, label)
				}
			}
			if n.Without {
				complain("%s: which labels are left is not to be seen", n)
			}
		case *parser.Call:
			if n.Func.Name == "histogram_quantile" && !slices.Contains(outputLabels(n.Args[1]), "le") {
				complain("%s has no buckets", n)
			}
		case *parser.BinaryExpr:
			if n.Op == parser.LOR {
				complain("%s: of what has no name, or drops a side", n)
			}
			left, right := outputLabels(n.LHS), outputLabels(n.RHS)
			if m := n.VectorMatching; m != nil && len(m.MatchingLabels) == 0 && left != nil && right != nil && !sameLabels(left, right) {
				complain("%s: %q never match %q", n, left, right)
			}
		}
		return nil
	})
	return wrong
}

func (c catalogue) selector(s *parser.VectorSelector, path []parser.Node, complain func(string, ...any)) {
	e, known := c[s.Name]
	if !known {
		complain("there is no %s", s.Name)
		return
	}
	for _, m := range s.LabelMatchers {
		values, has := e.labels[m.Name]
		if m.Name == model.MetricNameLabel {
			continue
		}
		if !has {
			complain("%s has no label %s", s.Name, m.Name)
		}
		if (m.Type == labels.MatchRegexp || m.Type == labels.MatchNotRegexp) && word.MatchString(m.Value) {
			complain("%s=~%q is no pattern", m.Name, m.Value)
		}
		for _, v := range alternatives(m) {
			if values != nil && !slices.Contains(values, v) {
				complain("%s is never %q in %s", m.Name, v, s.Name)
			}
		}
	}
	inRate := ""
	for _, n := range path {
		if call, ok := n.(*parser.Call); ok && slices.Contains([]string{"rate", "irate", "increase", "delta", "deriv"}, call.Func.Name) {
			inRate = call.Func.Name
		}
	}
	switch {
	case e.typ == metrics.Counter && inRate != "rate" && inRate != "increase":
		complain("the counter %s without a rate", s.Name)
	case e.typ == metrics.Gauge && inRate != "" && inRate != "deriv":
		complain("%s of the gauge %s", inRate, s.Name)
	}
}

var word = regexp.MustCompile(`^[a-zA-Z0-9_]*$`)

func sameLabels(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// literals are regular expressions that list values.
var literals = regexp.MustCompile(`^([a-zA-Z0-9_|+]|\\\.)+$`)

func alternatives(m *labels.Matcher) []string {
	if m.Type == labels.MatchEqual || m.Type == labels.MatchNotEqual {
		return []string{m.Value}
	}
	if m.Value == ".+" || !literals.MatchString(m.Value) {
		return nil
	}
	return strings.Split(strings.ReplaceAll(m.Value, `\.`, "."), "|")
}

// have reports whether every selector below has the label.
func (c catalogue) have(expr parser.Expr, label string) bool {
	all := true
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			_, has := c[s.Name].labels[label]
			all = all && has
		}
		return nil
	})
	return all
}

// outputLabels are the labels that the result of an expression has, as far as
// its outermost aggregations say.
func outputLabels(expr parser.Expr) []string {
	switch e := expr.(type) {
	case *parser.ParenExpr:
		return outputLabels(e.Expr)
	case *parser.StepInvariantExpr:
		return outputLabels(e.Expr)
	case *parser.AggregateExpr:
		if e.Op == parser.TOPK {
			return outputLabels(e.Expr)
		}
		return e.Grouping
	case *parser.BinaryExpr:
		if len(outputLabels(e.LHS)) == 0 {
			return outputLabels(e.RHS)
		}
		return outputLabels(e.LHS)
	case *parser.Call:
		for _, arg := range e.Args {
			if list := outputLabels(arg); list != nil {
				if e.Func.Name == "histogram_quantile" {
					return slices.DeleteFunc(slices.Clone(list), func(l string) bool { return l == "le" })
				}
				return list
			}
		}
	case *parser.SubqueryExpr:
		return outputLabels(e.Expr)
	case *parser.VectorSelector:
		if strings.Contains(e.Name, ":") { // recorded
			return []string{"cluster", "namespace", "job"}
		}
	}
	return nil
}
