// SPDX-License-Identifier: MIT

package main

import (
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEachOperatorAndConditionOfGoIsFlipped(t *testing.T) {
	for source, want := range map[string][]string{
		"return a == b":              {"return a != b"},
		"return a < b && c >= d":     {"return a <= b && c >= d", "return a < b || c >= d", "return a < b && c > d"},
		"return a + 1":               {"return a - 1"},
		`return "x" + a + "y"`:       nil,
		"n++":                        {"n--"},
		"n += 2":                     {"n -= 2"},
		"x.y = 1":                    {"if false { x.y = 1 }"},
		"f(x)":                       {"if false { f(x) }"},
		"defer f(x)":                 {"if false { defer f(x) }"},
		"if !ok { return }":          {"if ok { return }"},
		"if ok { return }":           {"if !(ok) { return }"},
		"return true, err":           {"return false, err", "return true, nil"},
		"return nil // a == b":       nil,
		"return `a == b`, 'a', \"\"": nil,
	} {
		got := changed(t, goMutants, "package p\n\nfunc f() {\n\t"+source+"\n}\n")
		if !slices.Equal(got, want) {
			t.Errorf("%s: mutants\n%q, want\n%q", source, got, want)
		}
	}
}

func TestEachOperatorAndConditionOfLuaIsFlipped(t *testing.T) {
	for source, want := range map[string][]string{
		"return a == b":                    {"return a ~= b"},
		"return a ~= b and c <= d or e":    {"return a == b and c <= d or e", "return a ~= b or c <= d or e", "return a ~= b and c < d or e", "return a ~= b and c <= d and e"},
		"return a + b - c":                 {"return a - b - c", "return a + b + c"},
		"return f(-x, n)":                  nil,
		"x = KEYS[1]":                      {"x = KEYS[2]"},
		"x = 0.5":                          nil,
		"if a then b() end":                {"if not (a) then b() end", "if a then if false then b() end end"},
		"if not a then return end":         {"if a then return end"},
		"while true do end":                {"while false do end"},
		"redis.call('ZREM', f(k), id)":     {"if false then redis.call('ZREM', f(k), id) end"},
		"local x = f(y)":                   nil,
		"return 'a == b', \"or\", [[ < ]]": nil,
		"-- a == b":                        nil,
		"--[[ a == b\n c < d ]]":           nil,
	} {
		got := changed(t, luaMutants, source+"\n")
		if !slices.Equal(got, want) {
			t.Errorf("%s: mutants\n%q, want\n%q", source, got, want)
		}
	}
}

// changed lists the changed lines of a source's mutants.
func changed(t *testing.T, read func(string, []byte) ([]mutant, error), source string) (list []string) {
	t.Helper()
	all, err := read("file", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		list = append(list, m.result)
	}
	return list
}

func TestMutantsOfTheProductCanBeParsed(t *testing.T) {
	all, err := picked("../..", 1, slices.Collect(maps.Keys(targets)))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all[:200] {
		if m.lua() {
			_, err = luaWords(m.file, m.apply())
		} else {
			_, err = parser.ParseFile(token.NewFileSet(), m.file, m.apply(), 0)
		}
		if err != nil {
			t.Errorf("%s: %v", m.name(), err)
		}
	}
}

func TestNoTwoMutantsOfTheProductHaveOneName(t *testing.T) {
	seen := make(map[string]bool)
	for dir := range targets {
		for _, m := range product(t, dir) {
			if seen[m.name()] {
				t.Errorf("two are called %s", m.name())
			}
			seen[m.name()] = true
		}
	}
}

func product(t *testing.T, dir string) []mutant {
	t.Helper()
	list, err := mutants("../..", dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatalf("nothing to mutate in %s", dir)
	}
	return list
}

func TestAnEditLeavesThePicksOfOtherLines(t *testing.T) {
	before, err := goMutants("f.go", []byte("package p\n\nfunc f() {\n\tg(1)\n\tg(2)\n\tg(3)\n}\n"))
	if err != nil {
		t.Fatal(err)
	}
	after, err := goMutants("f.go", []byte("package p\n\nfunc f() {\n\tg(0)\n\n\tg(2)\n\tg(3)\n}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < 3; i++ {
		if before[i].rank(1) != after[i].rank(1) || before[i].rank(1) == before[i].rank(2) {
			t.Errorf("%s: the rank follows from more or less than the seed and the line", before[i].result)
		}
	}
}

func TestEachListedSurvivorIsAMutantOfToday(t *testing.T) {
	reasons, err := survivors(list)
	if err != nil {
		t.Fatal(err)
	}
	for dir := range targets {
		for _, m := range product(t, dir) {
			delete(reasons, m.name())
		}
	}
	for name := range reasons {
		t.Errorf("survivors.txt: no place gives the mutant %q any more: remove the line, or correct it", name)
	}
}

func TestALineOfSurvivorsWithoutAReasonIsRefused(t *testing.T) {
	for _, line := range []string{"a.go\tx = 1", "a.go\tx = 1\t", "a.go: x = 1: because"} {
		if _, err := survivors("# head\n" + line); err == nil || !strings.Contains(err.Error(), "survivors.txt:2 ") {
			t.Errorf("%q: %v, want an error at line 2", line, err)
		}
	}
}

// The verdicts on a tree of one package, whose test knows one of its branches,
// and one of its embedded scripts.
func TestTheTestsGiveTheVerdict(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a package several times")
	}
	dir := t.TempDir()
	source := "package p\n\nimport _ \"embed\"\n\n//go:embed p.lua\nvar script string\n\nfunc f(a, b int, s string) (bool, string) {\n\treturn a == b, s + s\n}\n\nfunc g(a int) bool { return a < 1 }\n"
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"go.mod":               "module example.com/p\n\ngo 1.26\n",
		"audit/p.go":           source,
		"audit/p.lua":          "return 1\n",
		"audit/p_test.go":      "package p\n\nimport \"testing\"\n\nfunc TestF(t *testing.T) {\n\tif ok, _ := f(1, 1, \"\"); !ok || script != \"return 1\\n\" {\n\t\tt.Fatal()\n\t}\n}\n",
		"audit/audittest/p.go": "package p\n",
		"audit/gormsink/p.go":  "package p\n",
	} {
		write(name, text)
	}
	t.Setenv("GOWORK", "off")
	all, err := mutants(dir, "audit")
	if err != nil {
		t.Fatal(err)
	}
	write("audit/p.go", "// An edit while mutants are tried.\n"+source)
	got := make(map[string]verdict)
	s := &suite{root: dir, tmp: t.TempDir(), took: make(map[string]time.Duration)}
	for _, m := range all {
		if got[m.result], err = s.try(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]verdict{
		"return a != b, s + s":                 killed,
		"return a == b, s - s":                 invalid,
		"func g(a int) bool { return a <= 1 }": survived,
		"return 2":                             killed,
	}
	if !maps.Equal(got, want) {
		t.Fatalf("verdicts\n%q, want\n%q", got, want)
	}
}
