// SPDX-License-Identifier: MIT

package alerting

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"gopkg.in/yaml.v3"

	"github.com/holdfast-go/holdfast/metrics/monitoring"
)

// export returns what is written for the options, by path.
func export(t testing.TB, o monitoring.Options) (dir string, written map[string][]byte) {
	t.Helper()
	dir = t.TempDir()
	paths, err := monitoring.Export(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	written = make(map[string][]byte)
	for _, name := range paths {
		if written[name], err = os.ReadFile(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			t.Fatal(err)
		}
	}
	return dir, written
}

func TestPromtoolTakesTheRulesAsTheyAreExported(t *testing.T) {
	for _, o := range []monitoring.Options{
		{Namespace: "hotel"},
		{NoNamespace: true, NoExample: true},
		{By: []string{"service"}, Selector: `env="prod",team!~"a|b"`, ScrapeInterval: 2 * time.Minute, Labels: map[string]string{"team": `o'"k`}},
	} {
		dir, written := export(t, o)
		args := []string{"check", "rules", "--lint=all", "--lint-fatal"}
		for name := range written {
			if strings.HasPrefix(name, "alerts/") {
				args = append(args, name)
			}
		}
		if out, err := promtool(t, dir, args...); err != nil {
			t.Errorf("%+v: %v\n%s", o, err, out)
		}
	}
}

func TestEveryExportedRuleObeysTheOptions(t *testing.T) {
	_, written := export(t, monitoring.Options{
		By: []string{"region", "service"}, Selector: `env="prod"`, Namespace: "hotel", ScrapeInterval: 2 * time.Minute,
		Labels: map[string]string{"team": "payments"}, Runbooks: "https://wiki.example.com/alerts/", Grafana: "https://grafana.example.com/",
	})
	n := 0
	for name, content := range written {
		if !strings.HasPrefix(name, "alerts/") {
			continue
		}
		for _, g := range parseRules(t, name, content).Groups {
			for _, r := range g.Rules {
				n++
				expr, err := parser.ParseExpr(r.Expr)
				if err != nil {
					t.Fatal(err)
				}
				parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
					switch n := n.(type) {
					case *parser.VectorSelector:
						if !strings.Contains(n.Name, ":") && !strings.Contains(n.String(), `env="prod"`) {
							t.Errorf("%s looks at all environments: %s", r.Alert+r.Record, n)
						}
						if strings.HasPrefix(n.Name, "holdfast_") {
							t.Errorf("%s asks for %s", r.Alert+r.Record, n.Name)
						}
					case *parser.AggregateExpr:
						if !slices.Equal(n.Grouping[:2], []string{"region", "service"}) {
							t.Errorf("%s adds services up: %s", r.Alert+r.Record, n)
						}
					case *parser.MatrixSelector:
						if n.Range < 8*time.Minute {
							t.Errorf("%s has fewer than four scrapes: %s", r.Alert+r.Record, n)
						}
					}
					return nil
				})
				if r.Alert == "" {
					continue
				}
				if r.Labels["team"] != "payments" || r.Annotations["runbook_url"] != "https://wiki.example.com/alerts/"+r.Alert+".md" ||
					!strings.HasPrefix(r.Annotations["dashboard"], "https://grafana.example.com/d/hotel-") {
					t.Errorf("%s: %v %v", r.Alert, r.Labels, r.Annotations)
				}
			}
		}
	}
	if n < 50 {
		t.Errorf("only %d rules were found", n)
	}
}

// The shapes of the objects, as their schemas have them: no other fields.
type (
	metadata struct {
		Name, Namespace string
		Labels          map[string]string
	}
	prometheusRule struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Metadata   metadata
		Spec       struct {
			Groups []struct {
				Name  string
				Rules []struct {
					Alert, Record, Expr, For string
					Labels, Annotations      map[string]string
				}
			}
		}
	}
	configMap struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Metadata   metadata
		Data       map[string]string
	}
)

var (
	objectName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	labelValue = regexp.MustCompile(`^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$`)
	dataKey    = regexp.MustCompile(`^[-._a-zA-Z0-9]+$`)
	duration   = regexp.MustCompile(`^(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?$`)
)

func strictly(t testing.TB, name string, content []byte, into any) {
	t.Helper()
	d := yaml.NewDecoder(bytes.NewReader(content))
	d.KnownFields(true)
	if err := d.Decode(into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func (m metadata) check(t testing.TB, name string, labels map[string]string) {
	t.Helper()
	if !objectName.MatchString(m.Name) || len(m.Name) > 63 || m.Namespace != "monitoring" {
		t.Errorf("%s is called %q in %q", name, m.Name, m.Namespace)
	}
	for k, v := range labels {
		if m.Labels[k] != v || !labelValue.MatchString(v) {
			t.Errorf("%s has the labels %v", name, m.Labels)
		}
	}
}

func TestObjectsForKubernetesObeyTheirSchemas(t *testing.T) {
	release := map[string]string{"release": "kube-prometheus-stack"}
	_, written := export(t, monitoring.Options{Namespace: "My_Hotel", Operator: true, ObjectNamespace: "monitoring", ObjectLabels: release})
	_, plain := export(t, monitoring.Options{Namespace: "My_Hotel"})
	names := make(map[string]bool)
	for name, content := range written {
		switch folder, base := filepath.Split(name); folder {
		case "alerts/":
			var o prometheusRule
			strictly(t, name, content, &o)
			o.Metadata.check(t, name, release)
			if o.Kind != "PrometheusRule" || o.APIVersion != "monitoring.coreos.com/v1" {
				t.Errorf("%s: %s %s", name, o.APIVersion, o.Kind)
			}
			names[o.Metadata.Name] = true
			for i, g := range parseRules(t, name, plain[name]).Groups {
				if got := o.Spec.Groups[i]; got.Name != g.Name || len(got.Rules) != len(g.Rules) {
					t.Errorf("%s: the group %s became %s of %d rules", name, g.Name, got.Name, len(got.Rules))
				}
				for j, r := range g.Rules {
					got := o.Spec.Groups[i].Rules[j]
					if got.Expr != r.Expr || got.Alert != r.Alert || got.Record != r.Record || !duration.MatchString(got.For) {
						t.Errorf("%s: %s became %v", name, r.Alert+r.Record, got)
					}
				}
			}
		case "dashboards/":
			var o configMap
			strictly(t, name, content, &o)
			o.Metadata.check(t, name, map[string]string{"grafana_dashboard": "1", "release": release["release"]})
			if o.Kind != "ConfigMap" || o.APIVersion != "v1" || len(o.Data) != 1 || len(content) > 1<<20 {
				t.Errorf("%s: %s %s of %d bytes", name, o.APIVersion, o.Kind, len(content))
			}
			names[o.Metadata.Name] = true
			for key, text := range o.Data {
				var board struct{ UID string }
				if err := json.Unmarshal([]byte(text), &board); err != nil {
					t.Fatal(err)
				}
				if !dataKey.MatchString(key) || key != board.UID+".json" || text != string(plain["dashboards/"+strings.TrimSuffix(base, ".yml")+".json"]) {
					t.Errorf("%s has %s of the dashboard %s", name, key, board.UID)
				}
			}
		}
	}
	if len(names) != 8+6 {
		t.Errorf("%d objects: %v", len(names), names)
	}
}

// An inhibition of an alert that does not exist, or by labels that one side
// does not have, inhibits nothing, or everything.
func TestInhibitionsAreOfAlertsThatShareTheLabels(t *testing.T) {
	labels := make(map[string][]string)
	for _, groups := range rules(t) {
		for _, g := range groups.Groups {
			for _, r := range g.Rules {
				if expr, err := parser.ParseExpr(r.Expr); err == nil && r.Alert != "" {
					labels[r.Alert] = outputLabels(expr)
				}
			}
		}
	}
	var config struct {
		Rules []struct {
			Sources []string `yaml:"source_matchers"`
			Targets []string `yaml:"target_matchers"`
			Equal   []string
		} `yaml:"inhibit_rules"`
	}
	strictly(t, "inhibition.yml", files(t, "alertmanager/*.yml")["alertmanager/inhibition.yml"], &config)
	matcher := regexp.MustCompile(`^(\w+) =~? "([A-Za-z0-9|]+)"$`)
	for _, r := range config.Rules {
		for _, text := range slices.Concat(r.Sources, r.Targets) {
			m := matcher.FindStringSubmatch(text)
			if m == nil {
				t.Errorf("%s is no matcher", text)
				continue
			}
			if m[1] != model.AlertNameLabel {
				continue
			}
			for _, alert := range strings.Split(m[2], "|") {
				for _, label := range r.Equal {
					if !slices.Contains(labels[alert], label) {
						t.Errorf("%s has no label %s: %q", alert, label, labels[alert])
					}
				}
			}
		}
	}
	if len(config.Rules) < 10 {
		t.Errorf("only %d inhibitions", len(config.Rules))
	}
}
