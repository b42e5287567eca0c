// SPDX-License-Identifier: MIT

package monitoring

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

//go:embed alerts/*.yml dashboards/*.json runbooks/*.md
var files embed.FS

// Files returns the folders alerts, dashboards and runbooks.
func Files() fs.FS { return files }

// Options configures [Export]. The zero value writes the files unchanged.
type Options struct {
	// Namespace replaces "holdfast" in the names of metrics, for programs that
	// use metrics.WithNamespace. "" changes nothing.
	Namespace string

	// Operator writes each file of rules as an object of the kind
	// PrometheusRule, for the Prometheus operator of Kubernetes.
	Operator bool
}

var errNamespace = errors.New("no namespace that Prometheus allows")

var (
	namespace = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	ownMetric = regexp.MustCompile(`\bholdfast_`)
	comment   = regexp.MustCompile(`^(#.*\n)+`)
)

// Export writes the files into a folder, creates the folder if it does not
// exist, and returns the paths of the files in it. It overwrites files of the
// same names and leaves all others unchanged.
func Export(dir string, o Options) (paths []string, err error) {
	if o.Namespace != "" && !namespace.MatchString(o.Namespace) {
		return nil, fmt.Errorf("monitoring: namespace %q: %w", o.Namespace, errNamespace)
	}
	err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		paths = append(paths, name)
		return os.WriteFile(file, o.render(name, content), 0o644)
	})
	if err != nil {
		return nil, fmt.Errorf("monitoring: export: %w", err)
	}
	return paths, nil
}

func (o Options) render(name string, content []byte) []byte {
	if o.Namespace != "" {
		content = ownMetric.ReplaceAll(content, []byte(o.Namespace+"_"))
	}
	if o.Operator && path.Dir(name) == "alerts" {
		content = asObject(strings.TrimSuffix(path.Base(name), ".yml"), content)
	}
	return content
}

// asObject puts a file of rules below spec of a PrometheusRule. Indenting every
// line does not change the meaning of YAML.
func asObject(name string, rules []byte) []byte {
	about := comment.Find(rules)
	var b bytes.Buffer
	b.Write(about)
	fmt.Fprintf(&b, "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: holdfast-%s\nspec:\n", name)
	for line := range bytes.Lines(rules[len(about):]) {
		if len(bytes.TrimSpace(line)) > 0 {
			b.WriteString("  ")
		}
		b.Write(line)
	}
	return b.Bytes()
}
