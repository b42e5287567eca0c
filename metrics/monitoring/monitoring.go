// SPDX-License-Identifier: MIT

package monitoring

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/internal/configerr"
)

//go:embed alerts/*.yml alertmanager/*.yml dashboards/*.json runbooks/*.md
var files embed.FS

// Files returns the folders alerts, alertmanager, dashboards and runbooks.
func Files() fs.FS { return files }

// Options configures [Export]. The zero value writes the files unchanged.
type Options struct {
	// By lists the labels that name a service, the widest first. Every rule and
	// panel keeps them. Default: cluster, namespace, job. A label that series do
	// not have does no harm.
	By []string

	// Selector is added to every selector of rules and dashboards, such as
	// `env="prod",team!="tests"`.
	Selector string

	// Namespace replaces "holdfast" in the names of metrics, for programs that
	// use metrics.WithNamespace, and in the uids of dashboards and the names of
	// objects. "" changes nothing.
	Namespace string

	// NoNamespace removes it from the names of metrics: WithNamespace("").
	NoNamespace bool

	// ScrapeInterval lengthens windows of rules that hold fewer than four
	// scrapes. 0 changes nothing; windows are 3 minutes and more.
	ScrapeInterval time.Duration

	// Labels are added to every alert.
	Labels map[string]string

	// Runbooks replaces the folder on GitHub in the links to runbooks.
	Runbooks string

	// Grafana is the address of Grafana in the links to dashboards, such as
	// https://grafana.example.com. "" leaves the path alone.
	Grafana string

	// NoExample leaves out the alerts, the dashboard and the runbooks of the
	// example program.
	NoExample bool

	// Operator writes each file of rules as a PrometheusRule, for the Prometheus
	// operator of Kubernetes, and each dashboard as a ConfigMap with the label
	// grafana_dashboard: "1", for the sidecar of Grafana.
	Operator bool

	// ObjectNamespace and ObjectLabels are those of the objects of Operator.
	ObjectNamespace string
	ObjectLabels    map[string]string
}

// check returns everything that is wrong with o.
func (o Options) check() error {
	p := configerr.Collect(func(field string, value any, want string) error {
		return errors.New(configerr.Text("monitoring", field, value, want))
	})
	seen := make(map[string]bool)
	for _, l := range o.By {
		p.Want(label.MatchString(l) && !seen[l], "By", l, "names of labels, each once")
		seen[l] = true
	}
	p.Want(o.Selector == "" || matchers.MatchString(o.Selector), "Selector", o.Selector, `matchers such as env="prod"`)
	p.Want(o.Namespace == "" || namespace.MatchString(o.Namespace), "Namespace", o.Namespace, "a prefix that Prometheus allows")
	p.Want(o.ScrapeInterval >= 0, "ScrapeInterval", o.ScrapeInterval, "0 or more")
	for _, l := range slices.Sorted(maps.Keys(o.Labels)) {
		p.Want(label.MatchString(l) && l != "severity", "Labels", l, "names of labels other than severity")
	}
	p.Want(o.Operator || o.ObjectNamespace == "" && len(o.ObjectLabels) == 0, "ObjectNamespace and ObjectLabels", "set", "Operator set, too")
	return p.Err()
}

// Export writes the files into a folder, creates the folder if it does not
// exist, and returns the paths of the files in it. It overwrites files of the
// same names and leaves all others unchanged.
func Export(dir string, o Options) (paths []string, err error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	r, err := newRenderer(o)
	if err != nil {
		return nil, fmt.Errorf("monitoring: export: %w", err)
	}
	err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || r.skip[name] {
			return err
		}
		content, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		name, text := r.render(name, string(content))
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		paths = append(paths, name)
		return os.WriteFile(file, []byte(text), 0o644)
	})
	if err != nil {
		return nil, fmt.Errorf("monitoring: export: %w", err)
	}
	return paths, nil
}
