// SPDX-License-Identifier: MIT

package alerting

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// testFiles are the files for promtool, by name.
func testFiles(t testing.TB) map[string]unitTests {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(testFolder, "*.yml"))
	if err != nil || len(names) == 0 {
		t.Fatalf("%v, %v", names, err)
	}
	all := make(map[string]unitTests)
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var u unitTests
		if err := yaml.Unmarshal(content, &u); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[filepath.Base(name)] = u
	}
	return all
}

// unitTests is a file of tests for promtool.
type unitTests struct {
	RuleFiles          []string   `yaml:"rule_files"`
	EvaluationInterval string     `yaml:"evaluation_interval"`
	Tests              []unitTest `yaml:"tests"`
}

type unitTest struct {
	Name     string      `yaml:"name"`
	Interval string      `yaml:"interval"`
	Series   []yaml.Node `yaml:"input_series"`
	Exprs    []struct {
		Expr    string      `yaml:"expr"`
		At      string      `yaml:"eval_time"`
		Samples []yaml.Node `yaml:"exp_samples,omitempty"`
	} `yaml:"promql_expr_test"`
}

// alert is the alert that a test is of.
func (u unitTest) alert() string { return strings.SplitN(u.Name, ":", 2)[0] }

func TestPromtoolSeesEachAlertFireWhereItShouldAndNotAStepEarlier(t *testing.T) {
	t.Parallel()
	tested := make(map[string]bool)
	var names []string
	for name, u := range testFiles(t) {
		names = append(names, name)
		for _, test := range u.Tests {
			fires, rests := false, false
			for _, e := range test.Exprs {
				fires = fires || len(e.Samples) > 0
				rests = rests || len(e.Samples) == 0
			}
			// What fires at its first evaluation has no step before it.
			tested[test.alert()] = tested[test.alert()] || fires && rests
		}
	}
	for file, groups := range rules(t) {
		for _, g := range groups.Groups {
			for _, r := range g.Rules {
				if r.Alert != "" && !tested[r.Alert] {
					t.Errorf("%s: %s is never seen to rest and to fire", file, r.Alert)
				}
			}
		}
	}
	slices.Sort(names)
	if out, err := promtool(t, testFolder, append([]string{"test", "rules"}, names...)...); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
