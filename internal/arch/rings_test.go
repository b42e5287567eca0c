// SPDX-License-Identifier: MIT

package arch

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

const module = "github.com/holdfast-go/holdfast"

// cores lists, for each core, which packages of the tree it may import beside
// internal ones.
var cores = map[string][]string{
	"circuitbreaker": nil,
	"lock":           {"audit"},
	"session":        nil,
	"audit":          nil,
}

// heavy lists the modules that a package may import; those not named here,
// the cores among them, have the standard library only.
var heavy = map[string][]string{
	"lock/redislock":          {"github.com/redis/go-redis/v9"},
	"session/redissession":    {"github.com/redis/go-redis/v9"},
	"audit/gormsink":          {"gorm.io/gorm"},
	"metrics":                 {"github.com/prometheus/client_golang"},
	"metrics/metricstest":     {"github.com/prometheus/client_golang"},
	"internal/rediscall":      {"github.com/redis/go-redis/v9"},
	"internal/test/redistest": {"github.com/redis/go-redis/v9", "github.com/alicebob/miniredis/v2"},
}

// testers are the packages that are made for tests and so may import testing.
var testers = []string{"lock/locktest", "session/sessiontest", "audit/audittest", "metrics/metricstest",
	"internal/test/faultproxy", "internal/test/leakcheck", "internal/test/postgrestest", "internal/test/redistest", "internal/test/testproc"}

// pkg is what go list says about a package.
type pkg struct {
	ImportPath                         string
	Standard                           bool
	Module                             *struct{ Path string }
	Imports, TestImports, XTestImports []string
}

func (p pkg) foreign() bool { return !p.Standard && p.Module != nil && p.Module.Path != module }

// name is the import path below the module.
func (p pkg) name() string { return strings.TrimPrefix(p.ImportPath, module+"/") }

type graph map[string]pkg

// listed is what packages found, once for all tests.
var listed graph

// packages lists everything that the root module's packages and tests need.
func packages(t *testing.T) graph {
	t.Helper()
	if listed != nil {
		return listed
	}
	out := run(t, root(t), "go", "list", "-e", "-deps", "-test", "-json=ImportPath,Standard,Module,Imports,TestImports,XTestImports", "./...")
	g := make(graph)
	for dec := json.NewDecoder(strings.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			listed = g
			return g
		} else if err != nil {
			t.Fatal(err)
		}
		// A test variant, "x [x.test]", repeats what x says.
		if path, _, variant := strings.Cut(p.ImportPath, " "); !variant && !strings.HasSuffix(path, ".test") {
			g[path] = p
		}
	}
}

// own lists the packages of the module itself.
func (g graph) own() (list []pkg) {
	for _, p := range g {
		if p.Module != nil && p.Module.Path == module {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b pkg) int { return strings.Compare(a.ImportPath, b.ImportPath) })
	return list
}

// reach returns what is reached from the imports, they included.
func (g graph) reach(imports []string) map[string]bool {
	seen := make(map[string]bool)
	for len(imports) > 0 {
		path := imports[0]
		imports = imports[1:]
		if !seen[path] {
			seen[path] = true
			imports = append(imports, g[path].Imports...)
		}
	}
	return seen
}

func TestCoresImportTheStandardLibraryOnly(t *testing.T) {
	g := packages(t)
	for name, allowed := range cores {
		p := g[module+"/"+name]
		for _, path := range p.Imports {
			inside, ours := strings.CutPrefix(path, module+"/")
			if ours && !strings.HasPrefix(inside, "internal/") && !slices.Contains(allowed, inside) {
				t.Errorf("%s imports %s", name, inside)
			}
		}
		for path := range g.reach(p.Imports) {
			if g[path].foreign() {
				t.Errorf("%s takes %s along", name, path)
			}
			if path == module+"/metrics" {
				t.Errorf("%s takes metrics along", name)
			}
		}
	}
}

// What a package's tests import is in the go.sum of every module that imports the
// package.
func TestTestsOfCoresImportTheStandardLibraryOnly(t *testing.T) {
	g := packages(t)
	for name := range cores {
		p := g[module+"/"+name]
		for path := range g.reach(append(slices.Clone(p.TestImports), p.XTestImports...)) {
			if g[path].foreign() {
				t.Errorf("the tests of %s take %s along", name, path)
			}
		}
	}
}

func TestEachBackendHoldsItsOneHeavyImport(t *testing.T) {
	g := packages(t)
	for _, p := range g.own() {
		var found []string
		for _, path := range p.Imports {
			if q := g[path]; q.foreign() && !slices.Contains(found, q.Module.Path) {
				found = append(found, q.Module.Path)
			}
		}
		for _, m := range found {
			if !slices.Contains(heavy[p.name()], m) {
				t.Errorf("%s imports %s", p.name(), m)
			}
		}
		for _, m := range heavy[p.name()] {
			if !slices.Contains(found, m) {
				t.Errorf("%s is said to import %s and does not", p.name(), m)
			}
		}
	}
}

func TestMetricsImportsTheCoresOnly(t *testing.T) {
	for _, path := range packages(t)[module+"/metrics"].Imports {
		inside, ours := strings.CutPrefix(path, module+"/")
		if _, core := cores[inside]; ours && !core && !strings.HasPrefix(inside, "internal/") {
			t.Errorf("metrics imports %s", inside)
		}
	}
}

func TestOnlyPackagesForTestsImportTesting(t *testing.T) {
	g := packages(t)
	for _, p := range g.own() {
		if g.reach(p.Imports)["testing"] && !slices.Contains(testers, p.name()) {
			t.Errorf("%s takes testing along", p.name())
		}
	}
}

// The test kit is for tests: neither users' programs nor the exported suites
// of tests take it along.
func TestProductCodeDoesNotImportTheTestKit(t *testing.T) {
	g := packages(t)
	for _, p := range g.own() {
		if strings.HasPrefix(p.name(), "internal/test/") {
			continue
		}
		for path := range g.reach(p.Imports) {
			if strings.HasPrefix(path, module+"/internal/test/") {
				t.Errorf("%s takes %s along", p.name(), path)
			}
		}
	}
}

// root is the folder of the root module.
func root(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// run returns the standard output of a command, and fails the test with its
// standard error.
func run(t testing.TB, dir, name string, args ...string) string {
	t.Helper()
	var stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Stderr = dir, &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, stderr.String())
	}
	return string(out)
}
