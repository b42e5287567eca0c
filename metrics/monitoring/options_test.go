// SPDX-License-Identifier: MIT

package monitoring

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"testing"
)

func TestASelectorIsInEverySelectorOfARule(t *testing.T) {
	r, err := newRenderer(Options{Selector: `env="prod"`})
	if err != nil {
		t.Fatal(err)
	}
	rule := `sum by (job) (rate(holdfast_lock_lost_total{manager="rooms"}[5m])) / rate(holdfast_lock_expired_total[5m])`
	want := `sum by (job) (rate(holdfast_lock_lost_total{env="prod",manager="rooms"}[5m])) / rate(holdfast_lock_expired_total{env="prod"}[5m])`
	if got := r.rules(rule); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestLabelsAndAddressesAreThoseOfTheOperator(t *testing.T) {
	content := read(t, "alerts/*.yml")["alerts/lock.yml"]
	got := rendered(t, Options{
		Labels: map[string]string{"team": `night "desk"`}, Runbooks: "https://wiki.example.com/runbooks/", Grafana: "https://grafana.example.com/",
	}, "alerts/lock.yml", content)
	alerts := strings.Count(content, "- alert:")
	for text, want := range map[string]int{
		`          team: "night \"desk\""` + "\n":         alerts,
		"runbook_url: https://wiki.example.com/runbooks/": alerts,
		"'https://grafana.example.com/d/":                 alerts,
		"github.com/holdfast-go/holdfast/blob":            0,
	} {
		if n := strings.Count(got, text); n != want {
			t.Errorf("%q is there %d times, want %d", text, n, want)
		}
	}
}

func TestADashboardOfTheOperatorIsALabelledConfigMap(t *testing.T) {
	content := read(t, "dashboards/*.json")["dashboards/locks.json"]
	r, err := newRenderer(Options{Operator: true, Namespace: "hotel", ObjectNamespace: "monitoring", ObjectLabels: map[string]string{"release": "prom"}})
	if err != nil {
		t.Fatal(err)
	}
	name, got := r.render("dashboards/locks.json", content)
	head, data, ok := strings.Cut(got, "data:\n  hotel-locks.json: |\n")
	if name != "dashboards/locks.yml" || !ok {
		t.Fatalf("%s: %.300s", name, got)
	}
	for _, want := range []string{
		"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: hotel-dashboard-locks\n", "  namespace: monitoring\n",
		"    grafana_dashboard: \"1\"\n", "    release: \"prom\"\n",
	} {
		if !strings.Contains(head, want) {
			t.Errorf("no %q in\n%s", want, head)
		}
	}
	var board struct{ UID string }
	if err := json.Unmarshal([]byte(data), &board); err != nil || board.UID != "hotel-locks" {
		t.Errorf("the dashboard: %q, %v", board.UID, err)
	}
}

func TestTheExampleIsLeftOutWhenAskedFor(t *testing.T) {
	paths, err := Export(t.TempDir(), Options{NoExample: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range paths {
		if slices.Contains([]string{"bot.json", "reservationbot.yml", "slo.yml", "ReservationErrorBudgetBurn.md"}, path.Base(name)) {
			t.Errorf("%s is there", name)
		}
	}
	if !slices.Contains(paths, "alerts/lock.yml") || !slices.Contains(paths, "runbooks/LockLeaseLost.md") {
		t.Errorf("the library's own are missing: %v", paths)
	}
}
