// SPDX-License-Identifier: MIT

package alerting

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/holdfast-go/holdfast/internal/test/testproc"
)

// scale is by how much the windows of rules are shortened, so that minutes pass
// in less than a second. Shares stay as they are; what is counted in a window
// gets less with it.
const scale = 100

// shortest is the shortest window: some scrapes have to be in it.
const shortest = 3 * time.Second

func shortened(d time.Duration) time.Duration { return max(d/scale, shortest) }

// short shortens the windows of an expression, and with them the least numbers
// of what they hold.
func short(t testing.TB, text string) string {
	t.Helper()
	expr, err := parser.ParseExpr(text)
	if err != nil {
		t.Fatal(err)
	}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.BinaryExpr:
			if least, ok := n.RHS.(*parser.NumberLiteral); ok && n.Op == parser.GTE {
				if window := windowOf(n.LHS); window > 0 {
					least.Val *= float64(shortened(window)) / float64(window)
				}
			}
		case *parser.MatrixSelector:
			n.Range = shortened(n.Range)
		case *parser.SubqueryExpr:
			n.Range, n.Step = shortened(n.Range), max(n.Step/scale, time.Second)
		}
		return nil
	})
	return expr.String()
}

// windowOf returns the window of what is counted, or 0.
func windowOf(expr parser.Expr) (window time.Duration) {
	parser.Inspect(expr, func(n parser.Node, path []parser.Node) error {
		if m, ok := n.(*parser.MatrixSelector); ok {
			if call, ok := path[len(path)-1].(*parser.Call); ok && call.Func.Name == "increase" {
				window = m.Range
			}
		}
		return nil
	})
	return window
}

// server is a running Prometheus.
type server struct{ base string }

// startPrometheus watches the targets, by job, with all rules of the library,
// their windows shortened, and with more files of rules as they are.
func startPrometheus(t testing.TB, targets map[string]string, ruleFiles ...string) server {
	t.Helper()
	dir := t.TempDir()
	for name, groups := range rules(t) {
		for i := range groups.Groups {
			for j := range groups.Groups[i].Rules {
				r := &groups.Groups[i].Rules[j]
				r.Expr = short(t, r.Expr)
				r.For = model.Duration(time.Duration(r.For) / scale)
			}
		}
		write(t, filepath.Join(dir, name+".yml"), groups)
	}
	type job struct {
		Name    string                `yaml:"job_name"`
		Targets []map[string][]string `yaml:"static_configs"`
	}
	config := struct {
		Global map[string]string `yaml:"global"`
		Rules  []string          `yaml:"rule_files"`
		Jobs   []job             `yaml:"scrape_configs"`
	}{map[string]string{"scrape_interval": "500ms", "evaluation_interval": "500ms"}, append(ruleFiles, dir+"/*.yml"), nil}
	for name, addr := range targets {
		config.Jobs = append(config.Jobs, job{name, []map[string][]string{{"targets": {addr}}}})
	}
	file := filepath.Join(t.TempDir(), "prometheus.config")
	write(t, file, config)
	addr := testproc.Addr(testproc.FreePort(t))
	testproc.Start(t, exec.Command(testproc.Find(t, "prometheus", "prometheus"),
		"--config.file="+file, "--storage.tsdb.path="+t.TempDir(), "--web.listen-address="+addr, "--log.level=error"))
	testproc.Listening(t, addr)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	s := server{"http://" + addr}
	s.ready(t)
	return s
}

// ready waits until Prometheus has read its files.
func (s server) ready(t testing.TB) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) { // a process of its own
		answer, err := http.Get(s.base + "/-/ready")
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("Prometheus is not ready: %s", answer.Status)
		}
	}
}

// get asks the API of Prometheus; data is set to what it answers.
func (s server) get(t testing.TB, path string, query url.Values, data any) {
	t.Helper()
	answer, err := http.Get(s.base + "/api/v1/" + path + "?" + query.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	envelope := struct {
		Error string
		Data  any
	}{Data: data}
	if err := json.NewDecoder(answer.Body).Decode(&envelope); err != nil {
		t.Fatalf("%s: %s, %v", path, answer.Status, err)
	}
	if envelope.Error != "" {
		t.Fatalf("%s %v: %s", path, query, envelope.Error)
	}
}

// firing returns the alerts of a job that fire, with their summaries. To the
// name of a burn rate belongs its long window.
func (s server) firing(t testing.TB, job string) map[string]string {
	t.Helper()
	var data struct {
		Alerts []struct {
			State               string
			Labels, Annotations map[string]string
		}
	}
	s.get(t, "alerts", nil, &data)
	names := make(map[string]string)
	for _, a := range data.Alerts {
		if a.State == "firing" && a.Labels["job"] == job {
			name := strings.TrimSpace(a.Labels["alertname"] + " " + a.Labels["long"])
			names[name] = a.Annotations["summary"]
		}
	}
	return names
}

// samples counts the values that a query has had since a moment, those that
// are no number left out.
func (s server) samples(t testing.TB, expr string, since time.Time) (n int) {
	t.Helper()
	var data struct {
		Result []struct{ Values [][2]any }
	}
	at := func(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
	s.get(t, "query_range", url.Values{"query": {expr}, "start": {at(since)}, "end": {at(time.Now())}, "step": {"3"}}, &data)
	for _, series := range data.Result {
		for _, v := range series.Values {
			if fmt.Sprint(v[1]) != "NaN" {
				n++
			}
		}
	}
	return n
}

// ruleHealth returns the rules of a file that Prometheus could not evaluate,
// and how many there are.
func (s server) ruleHealth(t testing.TB, file string) (all int, broken []string) {
	t.Helper()
	var data struct {
		Groups []struct {
			File  string
			Rules []struct{ Name, Health, LastError string }
		}
	}
	s.get(t, "rules", nil, &data)
	for _, g := range data.Groups {
		for _, r := range g.Rules {
			if filepath.Base(g.File) == filepath.Base(file) {
				all++
				if r.Health != "ok" {
					broken = append(broken, r.Name+": "+r.Health+" "+r.LastError)
				}
			}
		}
	}
	return all, broken
}

func absolute(t testing.TB, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}
