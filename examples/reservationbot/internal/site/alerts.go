// SPDX-License-Identifier: MIT

package site

import (
	"io/fs"
	"net/http"
	"regexp"
	"slices"

	"github.com/holdfast-go/holdfast/metrics/monitoring"
)

// Severity is the shipped alerts of one severity.
type Severity struct {
	Name   string
	Alerts []string
}

var alertLine = regexp.MustCompile(`(?m)^ +- alert: (\w+)$|^ +severity: (\w+)$`)

// shippedAlerts lists the alerts that come with the library, by severity. In a
// rule the name comes before the severity.
var shippedAlerts = func() []Severity {
	all := []Severity{{Name: "critical"}, {Name: "warning"}}
	paths, _ := fs.Glob(monitoring.Files(), "alerts/*.yml")
	for _, path := range paths {
		rules, err := fs.ReadFile(monitoring.Files(), path)
		if err != nil {
			continue // it is embedded
		}
		name := ""
		for _, m := range alertLine.FindAllSubmatch(rules, -1) {
			if len(m[1]) > 0 {
				name = string(m[1])
				continue
			}
			for i := range all {
				if all[i].Name == string(m[2]) && !slices.Contains(all[i].Alerts, name) {
					all[i].Alerts = append(all[i].Alerts, name)
				}
			}
		}
	}
	return all
}()

// runbook shows what to do when an alert fires, as it was written.
func (s *Site) runbook(w http.ResponseWriter, r *http.Request) {
	text, err := fs.ReadFile(monitoring.Files(), "runbooks/"+r.PathValue("alert")+".md")
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(text)
}
