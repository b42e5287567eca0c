// SPDX-License-Identifier: MIT

package monitoring

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// service is the labels that name a service in the embedded files.
var service = []string{"cluster", "namespace", "job"}

// texts lists every text in which the labels that name a service occur in the
// files. Other labels are a matter of replacing one list by another.
func texts(by []string, selector string) []string {
	var summary, link, chosen, legend, params, variables []string
	for i, l := range by {
		all, known := ".*", ""
		if l == "job" { // every series has it
			all = ".+"
		}
		if before := join(strings.Join(chosen, ","), quoted(selector)); before != "" {
			known = "{" + before + "}"
		}
		query := "label_values(holdfast_build_info" + known + ", " + l + ")"
		variables = append(variables, fmt.Sprintf(variableLine, l, strings.ToUpper(l[:1])+l[1:], query, all))
		link = append(link, "var-"+l+"={{ $labels."+l+" }}")
		chosen = append(chosen, l+`=~\"$`+l+`\"`)
		legend = append(legend, "{{"+l+"}}")
		params = append(params, "${"+l+":queryparam}")
		if i < len(by)-1 {
			summary = append(summary, "{{ with $labels."+l+" }}{{ . }}/{{ end }}")
		} else {
			summary = append(summary, "{{ $labels."+l+" }}")
		}
	}
	filter := strings.Join(chosen, ",")
	return []string{
		strings.Join(variables, ",\n"),
		strings.Join(by, ", "),
		strings.Join(summary, ""),
		strings.Join(link, "&"),
		filter + ",alertstate=", // alerts have no other labels
		join(filter, quoted(selector)),
		strings.Join(legend, " "),
		strings.Join(params, "&"),
	}
}

// variableLine is one variable of a dashboard: name, label, query and the value for
// all.
const variableLine = `      {"name": "%[1]s", "label": "%[2]s", "type": "query", "datasource": {"type": "prometheus", "uid": "${datasource}"}, ` +
	`"query": {"query": "%[3]s", "refId": "%[1]s"}, "definition": "%[3]s", "refresh": 2, "multi": true, "includeAll": true, "allValue": "%[4]s", ` +
	`"current": {"text": "All", "value": "$__all"}, "sort": 1}`

// join joins what is not empty with commas.
func join(list ...string) string {
	return strings.Join(slices.DeleteFunc(list, func(s string) bool { return s == "" }), ",")
}

// quoted is s within a JSON string.
func quoted(s string) string {
	text, _ := json.Marshal(s) // a string always has an encoding
	return string(text[1 : len(text)-1])
}

const runbooks = "https://github.com/holdfast-go/holdfast/blob/main/metrics/monitoring/runbooks/"

var (
	label     = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
	namespace = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	matchers  = regexp.MustCompile(`^[a-zA-Z_]\w*(=|!=|=~|!~)"[^"]*"(,[a-zA-Z_]\w*(=|!=|=~|!~)"[^"]*")*$`)

	identifier = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*\{?`)
	scraped    = regexp.MustCompile(`^(holdfast|orchestrator|pms|nlp)_`) // metrics in rules
	ownMetric  = regexp.MustCompile(`\bholdfast_`)
	ownName    = regexp.MustCompile(`\bholdfast(-[a-z]+| / )`)
	window     = regexp.MustCompile(`\[(\d+)([mhdw])([\]:])`)
	alertName  = regexp.MustCompile(`(?m)^      - alert: (\w+)$`)
	comment    = regexp.MustCompile(`^(#.*\n)+`)
	notInNames = regexp.MustCompile(`[^a-z0-9]+`)
)

// renderer turns embedded files into those that options ask for.
type renderer struct {
	Options
	labels *strings.Replacer
	prefix string          // of uids and names of objects
	skip   map[string]bool // files that are left out
}

func newRenderer(o Options) (*renderer, error) {
	if len(o.By) == 0 {
		o.By = service
	}
	var pairs []string
	for i, other := range texts(o.By, o.Selector) {
		pairs = append(pairs, texts(service, "")[i], other)
	}
	r := &renderer{o, strings.NewReplacer(pairs...), prefix(o.Namespace), make(map[string]bool)}
	if o.NoExample {
		r.skip["dashboards/bot.json"] = true
		for _, name := range []string{"alerts/reservationbot.yml", "alerts/slo.yml"} {
			content, err := files.ReadFile(name)
			if err != nil {
				return nil, err
			}
			r.skip[name] = true
			for _, alert := range alertName.FindAllSubmatch(content, -1) {
				r.skip["runbooks/"+string(alert[1])+".md"] = true
			}
		}
	}
	return r, nil
}

// prefix returns a prefix for the uids of dashboards and the names of objects.
// Different namespaces have different ones.
func prefix(namespace string) string {
	if namespace == "" {
		return "holdfast"
	}
	name := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(namespace), "-"), "-")
	if name == namespace && len(name) <= 20 {
		return name
	}
	sum := fnv.New32a()
	sum.Write([]byte(namespace))
	return strings.TrimLeft(fmt.Sprintf("%.16s-x%08x", name, sum.Sum32()), "-")
}

// render returns what is written of a file, and under which name.
func (r *renderer) render(name, text string) (string, string) {
	folder, base := path.Split(name)
	if folder == "alerts/" {
		text = r.rules(text)
	}
	text = r.labels.Replace(text)
	switch {
	case r.NoNamespace:
		text = ownMetric.ReplaceAllString(text, "")
	case r.Namespace != "":
		text = ownMetric.ReplaceAllString(text, r.Namespace+"_")
	}
	text = ownName.ReplaceAllStringFunc(text, func(own string) string {
		if own == "holdfast-go" { // the module's address
			return own
		}
		return r.prefix + strings.TrimPrefix(own, "holdfast")
	})
	if !r.Operator {
		return name, text
	}
	object := strings.TrimSuffix(base, path.Ext(base))
	switch folder {
	case "alerts/":
		return name, r.prometheusRule(object, text)
	case "dashboards/":
		return folder + object + ".yml", r.configMap(object, text)
	}
	return name, text
}

// rules changes what only rules have.
func (r *renderer) rules(text string) string {
	if r.Selector != "" {
		text = identifier.ReplaceAllStringFunc(text, func(id string) string {
			name, more := strings.CutSuffix(id, "{")
			switch {
			case !scraped.MatchString(name):
				return id
			case more:
				return id + r.Selector + ","
			}
			return id + "{" + r.Selector + "}"
		})
	}
	text = window.ReplaceAllStringFunc(text, r.longEnough)
	const severity = "        labels:\n"
	text = strings.ReplaceAll(text, severity, severity+entries("          ", r.Labels))
	if r.Runbooks != "" {
		text = strings.ReplaceAll(text, runbooks, strings.TrimSuffix(r.Runbooks, "/")+"/")
	}
	return strings.ReplaceAll(text, "'/d/", "'"+strings.TrimSuffix(r.Grafana, "/")+"/d/")
}

// longEnough returns the window if it holds four scrapes, or one that does.
func (r *renderer) longEnough(text string) string {
	m := window.FindStringSubmatch(text)
	unit := map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}[m[2]]
	n, err := strconv.Atoi(m[1])
	if err != nil || time.Duration(n)*unit >= 4*r.ScrapeInterval {
		return text
	}
	return fmt.Sprintf("[%ds%s", (4*r.ScrapeInterval+time.Second-1)/time.Second, m[3])
}

// prometheusRule puts a file of rules below spec.
func (r *renderer) prometheusRule(name, rules string) string {
	about := comment.FindString(rules)
	return about + r.object("monitoring.coreos.com/v1", "PrometheusRule", name, r.ObjectLabels) + "spec:\n" + indent("  ", rules[len(about):])
}

// configMap holds a dashboard.
func (r *renderer) configMap(name, dashboard string) string {
	labels := map[string]string{"grafana_dashboard": "1"}
	maps.Copy(labels, r.ObjectLabels)
	return r.object("v1", "ConfigMap", "dashboard-"+name, labels) + "data:\n  " + r.prefix + "-" + name + ".json: |\n" + indent("    ", dashboard)
}

func (r *renderer) object(version, kind, name string, labels map[string]string) string {
	text := "apiVersion: " + version + "\nkind: " + kind + "\nmetadata:\n  name: " + r.prefix + "-" + name + "\n"
	if r.ObjectNamespace != "" {
		text += "  namespace: " + r.ObjectNamespace + "\n"
	}
	if len(labels) > 0 {
		text += "  labels:\n" + entries("    ", labels)
	}
	return text
}

// entries is a map in YAML, where a string in JSON is one, too.
func entries(before string, m map[string]string) (text string) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		text += before + k + `: "` + quoted(m[k]) + "\"\n"
	}
	return text
}

// indent indents every line, which does not change the meaning of YAML.
func indent(before, text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			b.WriteString(before)
		}
		b.WriteString(line)
	}
	return b.String()
}
