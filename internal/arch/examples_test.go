// SPDX-License-Identifier: MIT

package arch

import (
	"bytes"
	"go/doc"
	"go/parser"
	"path"
	"slices"
	"strings"
	"testing"
)

// screen is how many lines a program may have that shows one package.
const screen = 60

// Suites that take a *testing.T cannot run in an Example, and commands are
// shown where they are described.
func TestEveryPackageForUsersHasAnExampleThatRuns(t *testing.T) {
	public, shown := make(map[string]bool), make(map[string]bool)
	for file, tree := range parsed(t, parser.ParseComments) {
		dir := path.Dir(file)
		top, _, _ := strings.Cut(dir, "/")
		if top == "." || top == "internal" || top == "examples" || tree.Name.Name == "main" || slices.Contains(testers, dir) {
			continue
		}
		public[dir] = true
		for _, e := range doc.Examples(tree.File) {
			shown[dir] = shown[dir] || e.Output != "" || e.EmptyOutput
		}
	}
	if len(public) < 10 {
		t.Fatalf("found only %v", sorted(public))
	}
	for _, dir := range sorted(public) {
		if !shown[dir] {
			t.Errorf("%s has no Example with an output", dir)
		}
	}
}

// whole are the programs that are more than one use of one package: all five of
// them, a trail from its first event to a loss that is found, a site with accounts,
// and a tool.
var whole = []string{"examples/contract/main.go", "examples/audit/main.go", "examples/login/main.go", "examples/holdfastctl/main.go"}

func TestSmallProgramsFitOnAScreen(t *testing.T) {
	found := 0
	for file, data := range files(t, ".go") {
		if matched, _ := path.Match("examples/*/main.go", file); !matched || slices.Contains(whole, file) {
			continue
		}
		found++
		if n := bytes.Count(data, []byte("\n")); n > screen {
			t.Errorf("%s has %d lines, more than %d", file, n, screen)
		}
	}
	if found < 6 {
		t.Fatalf("found only %d programs", found)
	}
}
