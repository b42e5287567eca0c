// SPDX-License-Identifier: MIT

package monitoring

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// board is what the rules below look at.
type board struct {
	UID, Title, Description string
	Editable                bool
	Templating              struct {
		List []variable
	}
	Panels []boardPanel
}

type variable struct {
	Name, Label, Type, Definition, AllValue string
	Multi, IncludeAll                       bool
}

type boardPanel struct {
	ID                       int
	Title, Description, Type string
	Datasource               struct{ UID string }
	GridPos                  struct{ X, Y, W, H int }
	FieldConfig              struct {
		Defaults struct {
			Unit     string
			Mappings []any
			Links    []struct{ URL string }
		}
	}
	Targets []target
}

type target struct {
	RefID, Expr, LegendFormat string
	Datasource                struct{ UID string }
}

func decode(t *testing.T, content string) (b board) {
	t.Helper()
	if err := json.Unmarshal([]byte(content), &b); err != nil {
		t.Fatal(err)
	}
	return b
}

var (
	selector    = regexp.MustCompile(`\b[a-zA-Z][a-zA-Z0-9_:]*\{[^}]*\}`)
	aggregation = regexp.MustCompile(`\b(sum|max|min|count)\b`)
	highest     = regexp.MustCompile(`\bmax by \([^)]*\) \((\w+)`)
	nakedRange  = regexp.MustCompile(`\[(\$__rate_interval|5m|1h|6h|30m:1m)\]`)
	anyRange    = regexp.MustCompile(`\[[^\]]*\]`)
)

// alike are the gauges that every process reports alike, and those of which
// the worst matters.
var alike = []string{
	"holdfast_session_active", "holdfast_session_limit", "holdfast_session_backlog", "holdfast_session_cleanup_interval_seconds",
	"holdfast_audit_oldest_pending_seconds", "holdfast_audit_queue_length", "holdfast_audit_last_success_timestamp_seconds", "holdfast_audit_gaps", "holdfast_audit_findings", "holdfast_audit_verified_timestamp_seconds", "holdfast_audit_spool_bytes",
	"holdfast_circuitbreaker_failure_ratio", "pms_double_bookings",
}

// rules are what makes a dashboard a good one. Most are of Grafana's own
// linter.
var rules = map[string]func(board) []string{
	"one data source, for the reader to choose": func(b board) (bad []string) {
		v := b.Templating.List[0]
		if v.Type != "datasource" || v.Name != "datasource" || v.Label != "Data source" {
			bad = append(bad, "the first variable is "+v.Name)
		}
		for _, p := range b.Panels {
			for _, q := range p.Targets {
				if p.Datasource.UID != "${datasource}" || q.Datasource.UID != "${datasource}" {
					bad = append(bad, p.Title)
				}
			}
		}
		return bad
	},
	"the service, the instance and the name can be chosen, one, several or all": func(b board) (bad []string) {
		want := map[string]string{"cluster": ".*", "namespace": ".*", "job": ".+", "instance": ".+"}
		for _, v := range b.Templating.List[1:] {
			all, known := want[v.Name]
			if known && v.AllValue != all || !v.Multi || !v.IncludeAll || v.Label == "" || v.Definition == "" {
				bad = append(bad, v.Name)
			}
			delete(want, v.Name)
		}
		for name := range want {
			bad = append(bad, name+" is missing")
		}
		return bad
	},
	"every selector looks at the chosen service and instance": func(b board) (bad []string) {
		return expressions(b, func(expr string) bool {
			all := selector.FindAllString(expr, -1)
			ok := len(all) > 0
			for _, s := range all {
				ok = ok && strings.Contains(s, `cluster=~"$cluster",namespace=~"$namespace",job=~"$job"`) &&
					(strings.HasPrefix(s, "ALERTS{") || strings.Contains(s, `instance=~"$instance"`))
			}
			return ok
		})
	},
	"services are not added up, and lines name theirs": func(b board) (bad []string) {
		for _, p := range b.Panels {
			for _, q := range p.Targets {
				grouped := strings.Count(q.Expr, "by (cluster, namespace, job")
				if p.Type == "heatmap" { // which has one axis
					continue
				}
				if grouped == 0 || grouped != len(aggregation.FindAllString(q.Expr, -1)) || !strings.HasPrefix(q.LegendFormat, "{{cluster}} {{namespace}} {{job}}") {
					bad = append(bad, p.Title+": "+q.Expr)
				}
			}
		}
		return bad
	},
	"nothing takes the highest of what adds up": func(b board) (bad []string) {
		return expressions(b, func(expr string) bool {
			for _, m := range highest.FindAllStringSubmatch(expr, -1) {
				if !slices.Contains(alike, m[1]) {
					return false
				}
			}
			return true
		})
	},
	"states have words and colours": func(b board) (bad []string) {
		for _, p := range b.Panels {
			if p.Type == "state-timeline" && len(p.FieldConfig.Defaults.Mappings) == 0 {
				bad = append(bad, p.Title)
			}
		}
		return bad
	},
	"rates are over $__rate_interval": func(b board) (bad []string) {
		return expressions(b, func(expr string) bool {
			// Fixed windows are for what is defined over them: objectives, leaks,
			// "in the last hour".
			return len(anyRange.FindAllString(expr, -1)) == len(nakedRange.FindAllString(expr, -1))
		})
	},
	"every panel has a title and says what it shows": func(b board) (bad []string) {
		titles := make(map[string]bool)
		for _, p := range b.Panels {
			if p.Title == "" || len(p.Description) < 10 || titles[p.Title] {
				bad = append(bad, p.Title)
			}
			titles[p.Title] = true
		}
		return bad
	},
	"every panel has a unit": func(b board) (bad []string) {
		for _, p := range b.Panels {
			if p.FieldConfig.Defaults.Unit == "" {
				bad = append(bad, p.Title)
			}
		}
		return bad
	},
	"no panel is empty, every line has a name": func(b board) (bad []string) {
		for _, p := range b.Panels {
			refs := make(map[string]bool)
			for _, q := range p.Targets {
				if q.Expr == "" || q.LegendFormat == "" || refs[q.RefID] {
					bad = append(bad, p.Title)
				}
				refs[q.RefID] = true
			}
			if len(p.Targets) == 0 {
				bad = append(bad, p.Title)
			}
		}
		return bad
	},
	"panels do not overlap, and fit": func(b board) (bad []string) {
		taken := make(map[[2]int]bool)
		for _, p := range b.Panels {
			g := p.GridPos
			if g.W < 1 || g.H < 1 || g.X < 0 || g.X+g.W > 24 {
				bad = append(bad, p.Title)
			}
			for x := g.X; x < g.X+g.W; x++ {
				for y := g.Y; y < g.Y+g.H; y++ {
					if taken[[2]int{x, y}] {
						bad = append(bad, p.Title)
					}
					taken[[2]int{x, y}] = true
				}
			}
		}
		return bad
	},
	"panels have ids of their own": func(b board) (bad []string) {
		ids := make(map[int]bool)
		for _, p := range b.Panels {
			if p.ID < 1 || ids[p.ID] {
				bad = append(bad, p.Title)
			}
			ids[p.ID] = true
		}
		return bad
	},
	"it is not edited in place, and links to it stay": func(b board) (bad []string) {
		if b.Editable || !strings.HasPrefix(b.UID, "holdfast-") || b.Title == "" || b.Description == "" {
			bad = append(bad, b.Title)
		}
		return bad
	},
}

func expressions(b board, ok func(string) bool) (bad []string) {
	for _, p := range b.Panels {
		for _, q := range p.Targets {
			if !ok(q.Expr) {
				bad = append(bad, p.Title+": "+q.Expr)
			}
		}
	}
	return bad
}

func TestDashboardsObeyTheRules(t *testing.T) {
	uids := make(map[string]bool)
	for name, content := range read(t, "dashboards/*.json") {
		b := decode(t, content)
		if uids[b.UID] {
			t.Errorf("%s: its uid is another's", name)
		}
		uids[b.UID] = true
		for rule, check := range rules {
			for _, bad := range check(b) {
				t.Errorf("%s: %s: %s", name, rule, bad)
			}
		}
	}
	for _, want := range []string{"overview", "resilience", "locks", "sessions", "audit", "bot"} {
		if !uids["holdfast-"+want] {
			t.Errorf("there is no dashboard %s", want)
		}
	}
}

func TestTheOverviewLinksToEveryRoom(t *testing.T) {
	linked := make(map[string]bool)
	for _, p := range decode(t, read(t, "dashboards/overview.json")["dashboards/overview.json"]).Panels {
		for _, link := range p.FieldConfig.Defaults.Links {
			path, variables, _ := strings.Cut(link.URL, "?")
			linked[path] = true
			if want := "${datasource:queryparam}&${cluster:queryparam}&${namespace:queryparam}&${job:queryparam}&${__url_time_range}"; variables != want {
				t.Errorf("%s forgets what was chosen: %s", p.Title, variables)
			}
		}
	}
	for _, room := range []string{"resilience", "locks", "sessions", "audit"} {
		if !linked["/d/holdfast-"+room] {
			t.Errorf("no panel links to %s", room)
		}
	}
}

// A rule that accepts everything checks nothing.
func TestEachRuleFindsWhatIsWrong(t *testing.T) {
	const chosen = `{cluster=~"$cluster",namespace=~"$namespace",job=~"$job",instance=~"$instance"}`
	expr := func(text string) func(*board) {
		return func(b *board) { b.Panels[0].Targets[0].Expr = text }
	}
	spoils := map[string]func(*board){
		"one data source, for the reader to choose":                                 func(b *board) { b.Panels[1].Targets[0].Datasource.UID = "prometheus" },
		"the service, the instance and the name can be chosen, one, several or all": func(b *board) { b.Templating.List[2].AllValue = "" },
		"every selector looks at the chosen service and instance":                   expr("sum(holdfast_lock_held{})"),
		"services are not added up, and lines name theirs":                          expr("sum(holdfast_lock_held" + chosen + ")"),
		"nothing takes the highest of what adds up":                                 expr("max by (job) (holdfast_lock_held" + chosen + ")"),
		"states have words and colours":                                             func(b *board) { b.Panels[0].Type = "state-timeline"; b.Panels[0].FieldConfig.Defaults.Mappings = nil },
		"rates are over $__rate_interval":                                           expr("rate(x" + chosen + "[2m])"),
		"every panel has a title and says what it shows":                            func(b *board) { b.Panels[3].Description = "" },
		"every panel has a unit":                                                    func(b *board) { b.Panels[2].FieldConfig.Defaults.Unit = "" },
		"no panel is empty, every line has a name":                                  func(b *board) { b.Panels[4].Targets = nil },
		"panels do not overlap, and fit":                                            func(b *board) { b.Panels[1].GridPos.X-- },
		"panels have ids of their own":                                              func(b *board) { b.Panels[1].ID = b.Panels[0].ID },
		"it is not edited in place, and links to it stay":                           func(b *board) { b.Editable = true },
	}
	for rule, check := range rules {
		b := decode(t, read(t, "dashboards/locks.json")["dashboards/locks.json"])
		if spoils[rule] == nil {
			t.Errorf("no fault is known for: %s", rule)
			continue
		}
		spoils[rule](&b)
		if check(b) == nil {
			t.Errorf("nothing is found: %s", rule)
		}
	}
}
