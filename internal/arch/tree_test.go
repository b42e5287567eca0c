// SPDX-License-Identifier: MIT

package arch

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const maxLines = 400

// sleepers are the folders that may wait in real time without saying why at
// the place.
var sleepers = map[string]string{
	"internal/test/leakcheck": "polls for goroutines that are about to end",
	"internal/test/testproc":  "polls for a child process to answer",
	"lock/locktest":           "the suite also runs on servers, whose time is real",
	"session/sessiontest":     "the suite also runs on servers, whose time is real",
}

// skippers are the folders that may skip a test.
var skippers = map[string]string{
	"internal/test/testproc":  "for want of a server, which HOLDFAST_REQUIRE turns into a failure",
	"internal/test/redistest": "where int has 32 bits, which are too few for miniredis",
}

// files reads the files of the tree, by path below the root, that end in one
// of the suffixes.
func files(t *testing.T, suffixes ...string) map[string][]byte {
	t.Helper()
	all := make(map[string][]byte)
	dir := root(t)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == ".git" {
			return filepath.SkipDir
		}
		if !d.Type().IsRegular() || !slices.Contains(suffixes, filepath.Ext(path)) {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		below, err := filepath.Rel(dir, path)
		all[filepath.ToSlash(below)] = data
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func TestEachFileBeginsWithItsLicence(t *testing.T) {
	begin := map[string]string{".go": "// SPDX-License-Identifier: MIT\n\n", ".lua": "-- SPDX-License-Identifier: MIT\n"}
	all := files(t, ".go", ".lua")
	for _, path := range sorted(all) {
		want := begin[filepath.Ext(path)]
		if !bytes.HasPrefix(all[path], []byte(want)) {
			t.Errorf("%s does not begin with %q", path, want)
		}
	}
}

func TestNoFileIsLong(t *testing.T) {
	all := files(t, ".go", ".lua", ".sql", ".yml", ".html", ".css", ".js")
	for _, path := range sorted(all) {
		if n := bytes.Count(all[path], []byte("\n")); n > maxLines {
			t.Errorf("%s has %d lines, more than %d", path, n, maxLines)
		}
	}
}

func TestPackageNamesAreUnique(t *testing.T) {
	where := make(map[string]string)
	for path, file := range parsed(t, parser.PackageClauseOnly) {
		name, dir := strings.TrimSuffix(file.Name.Name, "_test"), filepath.Dir(path)
		if name == "main" {
			continue
		}
		if other, ok := where[name]; ok && other != dir {
			t.Errorf("package %s is in %s and in %s", name, other, dir)
		}
		where[name] = dir
		if slices.Contains([]string{"util", "utils", "common", "types", "helper", "helpers", "misc", "base"}, name) {
			t.Errorf("%s: %s says nothing", dir, name)
		}
	}
}

// Waiting in real time makes tests slow and, on a busy machine, wrong. Inside
// a bubble of testing/synctest it costs nothing; outside, a comment on the
// line or above it says why it must be.
func TestSleepOnlyInABubbleOrWithAReason(t *testing.T) {
	all := parsed(t, parser.ParseComments)
	bubbles := bubbles(all)
	used := make(map[string]bool)
	for path, file := range all {
		dir := filepath.Dir(path)
		if imports(file, "testing/synctest") || calls(file.File, bubbles[dir]...) {
			continue
		}
		reasons := commentLines(file)
		ast.Inspect(file.File, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || callee(call) != "time.Sleep" {
				return true
			}
			used[dir] = true
			line := file.set.Position(call.Pos()).Line
			if sleepers[dir] == "" && !reasons[line] && !reasons[line-1] {
				t.Errorf("%s:%d sleeps outside a bubble and does not say why", path, line)
			}
			return true
		})
	}
	for dir := range sleepers {
		if !used[dir] {
			t.Errorf("%s is excused from sleeping and does not", dir)
		}
	}
}

// bubbles lists, for each folder, its own functions that start a bubble.
func bubbles(all map[string]source) map[string][]string {
	list := make(map[string][]string)
	for path, file := range all {
		dir := filepath.Dir(path)
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && calls(f, "synctest.Test") {
				list[dir] = append(list[dir], f.Name.Name)
			}
		}
	}
	return list
}

// A test that is not run looks like one that passed. Beside the skippers,
// only -short may skip.
func TestNothingIsSkipped(t *testing.T) {
	used := make(map[string]bool)
	for path, file := range parsed(t, 0) {
		dir := filepath.Dir(path)
		short := make(map[ast.Node]bool)
		ast.Inspect(file.File, func(n ast.Node) bool {
			if cond, ok := n.(*ast.IfStmt); ok && calls(cond.Cond, "testing.Short") {
				ast.Inspect(cond.Body, func(n ast.Node) bool { short[n] = true; return true })
			}
			call, ok := n.(*ast.CallExpr)
			if !ok || short[n] {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) {
				used[dir] = true
				if skippers[dir] == "" {
					t.Errorf("%s:%d skips a test", path, file.set.Position(call.Pos()).Line)
				}
			}
			return true
		})
	}
	for dir := range skippers {
		if !used[dir] {
			t.Errorf("%s is excused for skipping and does not", dir)
		}
	}
}

func TestNothingTellsOfTheMachineItWasWrittenOn(t *testing.T) {
	all := files(t, ".go", ".lua", ".md", ".yml", ".sql", ".mod", ".work")
	for _, path := range sorted(all) {
		for _, word := range []string{"/wo" + "rk/", "/ro" + "ot/", "TO" + "DO", "FIX" + "ME"} {
			if bytes.Contains(all[path], []byte(word)) {
				t.Errorf("%s says %s", path, word)
			}
		}
	}
}

type source struct {
	*ast.File
	set *token.FileSet
}

func parsed(t *testing.T, mode parser.Mode) map[string]source {
	t.Helper()
	list := make(map[string]source)
	for path, data := range files(t, ".go") {
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, data, mode)
		if err != nil {
			t.Fatal(err)
		}
		list[path] = source{file, set}
	}
	return list
}

func imports(f source, path string) bool {
	return slices.ContainsFunc(f.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == strconv.Quote(path) })
}

// commentLines are the lines on which comments end.
func commentLines(f source) map[int]bool {
	lines := make(map[int]bool)
	for _, c := range f.Comments {
		lines[f.set.Position(c.End()).Line] = true
	}
	return lines
}

// calls reports whether there is a call of one of the names below n.
func calls(n ast.Node, names ...string) (found bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && slices.Contains(names, callee(call)) {
			found = true
		}
		return !found
	})
	return found
}

// callee is what is called, as "f" or "package.F", or "" when it is neither.
func callee(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			return x.Name + "." + f.Sel.Name
		}
	}
	return ""
}
