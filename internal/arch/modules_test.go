// SPDX-License-Identifier: MIT

package arch

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// direct are the modules that the root module requires by itself: those that
// its users name.
var direct = []string{
	"github.com/DATA-DOG/go-sqlmock",
	"github.com/alicebob/miniredis/v2",
	"github.com/prometheus/client_golang",
	"github.com/redis/go-redis/v9",
	"gorm.io/gorm",
}

type requirement struct {
	Path, Version string
	Indirect      bool
}

// required lists what the go.mod of a folder requires.
func required(t *testing.T, dir string) []requirement {
	t.Helper()
	var mod struct{ Require []requirement }
	if err := json.Unmarshal([]byte(run(t, dir, "go", "mod", "edit", "-json", "go.mod")), &mod); err != nil {
		t.Fatal(err)
	}
	return mod.Require
}

func TestTheRootRequiresTheFiveAndNoOther(t *testing.T) {
	var got []string
	for _, r := range required(t, root(t)) {
		if !r.Indirect {
			got = append(got, r.Path)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, direct) {
		t.Fatalf("required directly:\n%q\nwant\n%q", got, direct)
	}
}

// dependencies is the page that lists which versions move, and what an import costs.
const dependencies = "docs/stability.md"

func TestThePageGivesTheVersionsThatAreRequired(t *testing.T) {
	page := files(t, ".md")[dependencies]
	for _, r := range required(t, root(t)) {
		row := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(r.Path) + `( \(for tests\))? \| ` + regexp.QuoteMeta(r.Version) + ` \|$`)
		if !r.Indirect && !row.Match(page) {
			t.Errorf("%s does not say that %s is required at %s", dependencies, r.Path, r.Version)
		}
	}
}

// The tools are in none: their requirements would raise those of the rest.
func TestEveryModuleButTheToolsIsInTheWorkspace(t *testing.T) {
	var work struct{ Use []struct{ DiskPath string } }
	if err := json.Unmarshal([]byte(run(t, root(t), "go", "work", "edit", "-json", "go.work")), &work); err != nil {
		t.Fatal(err)
	}
	var used, found []string
	for _, u := range work.Use {
		used = append(used, filepath.ToSlash(filepath.Join(u.DiskPath, "go.mod")))
	}
	for path := range files(t, ".mod") {
		if strings.HasSuffix(path, "go.mod") && path != ".ci/tools/go.mod" {
			found = append(found, path)
		}
	}
	slices.Sort(used)
	slices.Sort(found)
	if !slices.Equal(used, found) {
		t.Fatalf("go.work uses %q, the tree has %q", used, found)
	}
}

// A program that imports one core builds nothing else, and has no other
// module's checksum to look after.
func TestImportingOneCoreTakesNothingAlong(t *testing.T) {
	for core := range cores {
		t.Run(core, func(t *testing.T) {
			dir := program(t, core, nil)
			goOutside(t, dir, "mod", "tidy")
			if built := thirdParty(t, dir); len(built) > 0 {
				t.Errorf("builds %q", built)
			}
			if sums, err := os.ReadFile(filepath.Join(dir, "go.sum")); err == nil && len(sums) > 0 {
				t.Errorf("go.sum:\n%s", sums)
			}
		})
	}
}

func TestThePageGivesTheFootprintOfEachImport(t *testing.T) {
	page := string(files(t, ".md")[dependencies])
	for _, imports := range []string{"lock/redislock", "session/redissession", "audit/gormsink", "metrics"} {
		t.Run(imports, func(t *testing.T) {
			t.Parallel()
			dir := program(t, imports, nil)
			goOutside(t, dir, "mod", "tidy")
			built := len(thirdParty(t, dir))
			sums, err := os.ReadFile(filepath.Join(dir, "go.sum"))
			if err != nil {
				t.Fatal(err)
			}
			row := regexp.MustCompile(fmt.Sprintf("(?m)^\\|.*`%s`.* \\| %d \\(.*\\| %d \\|$", imports, built, strings.Count(string(sums), "\n")))
			if !row.MatchString(page) {
				t.Errorf("it builds %d packages and has %d lines in go.sum, and %s says otherwise", built, strings.Count(string(sums), "\n"), dependencies)
			}
		})
	}
}

// thirdParty lists the packages that a program is built of, without the standard
// library, holdfast and its own.
func thirdParty(t *testing.T, dir string) (paths []string) {
	t.Helper()
	for path := range strings.Lines(goOutside(t, dir, "list", "-deps", "-f", `{{if and .Module (not .Standard)}}{{.ImportPath}}{{end}}`, ".")) {
		if path = strings.TrimSpace(path); path != "" && path != "example.com/service" && !strings.HasPrefix(path, module+"/") {
			paths = append(paths, path)
		}
	}
	return paths
}

// A service that pins older versions has exactly those moved that holdfast's
// go.mod names, to the version there. Each pin is an empty module that the
// test makes, so that nothing has to be fetched.
func TestAServiceWithOlderPinsSeesWhichOnesMove(t *testing.T) {
	pins := map[string]string{"example.com/unrelated": "v1.2.3"}
	want := map[string]string{"example.com/unrelated": "v1.2.3"}
	for _, r := range required(t, root(t)) {
		pins[r.Path], want[r.Path] = older(r.Path), r.Version
	}
	dir := program(t, "circuitbreaker", pins)
	t.Logf("what go get reports:\n%s", goOutside(t, dir, "get", module+"@v0.0.0"))
	got := make(map[string]string)
	for _, r := range required(t, dir) {
		got[r.Path] = r.Version
	}
	for _, path := range sorted(want) {
		if got[path] != want[path] {
			t.Errorf("%s is at %s, want %s", path, got[path], want[path])
		}
	}
}

// older is a version of a module that is older than any in use.
func older(path string) string {
	if _, major, ok := strings.Cut(path, "/v"); ok && len(major) == 1 {
		return "v" + major + ".0.0-0"
	}
	return "v0.0.0-0"
}

// program writes a service that imports one package of the tree and pins
// other modules to versions that exist beside it only.
func program(t *testing.T, imports string, pins map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	mod := fmt.Sprintf("module example.com/service\n\ngo 1.26\n\nreplace %s => %q\n", module, root(t))
	for path, version := range pins {
		beside := filepath.Join("pins", path)
		mod += fmt.Sprintf("\nrequire %s %s\n\nreplace %s %s => ./%s\n", path, version, path, version, filepath.ToSlash(beside))
		write(t, filepath.Join(dir, beside, "go.mod"), fmt.Sprintf("module %s\n\ngo 1.17\n", path))
	}
	write(t, filepath.Join(dir, "go.mod"), mod)
	write(t, filepath.Join(dir, "main.go"), fmt.Sprintf("package main\n\nimport _ %q\n\nfunc main() {}\n", module+"/"+imports))
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// goOutside runs the go command as a user of the library does, without the
// tree's workspace, and returns all that it says.
func goOutside(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return string(out)
}
