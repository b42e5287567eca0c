// SPDX-License-Identifier: MIT

package bench

import (
	"cmp"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var quoted = regexp.MustCompile("`([^`]+)`")

// Cells checks the tables of features in a document: a table is worth what its
// cells can be checked against. What stands in backquotes in the second column
// must be a function in a test below one of the folders; in those after it, a
// file of that column's module, unless that is "".
func Cells(t testing.TB, document string, folders []string, modules ...string) {
	t.Helper()
	data, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	ours := tests(t, folders)
	peers := make([]string, len(modules))
	for i, module := range modules {
		peers[i] = Ask(t, module, "{{.Dir}}")
	}
	for line := range strings.Lines(string(data)) {
		cells := strings.Split(line, "|")
		if len(cells) != 4+len(modules) || !strings.Contains(line, "`") {
			continue
		}
		feature := strings.TrimSpace(cells[1])
		for _, name := range quoted.FindAllStringSubmatch(cells[2], -1) {
			if !strings.Contains(ours, "func "+name[1]+"(") {
				t.Errorf("%s: there is no %s", feature, name[1])
			}
		}
		for i, peer := range peers {
			for _, name := range quoted.FindAllStringSubmatch(cells[3+i], -1) {
				if _, err := os.Stat(filepath.Join(peer, filepath.FromSlash(name[1]))); peer != "" && err != nil {
					t.Errorf("%s: %v", feature, err)
				}
			}
		}
	}
}

// tests is the text of all tests that may be named.
func tests(t testing.TB, folders []string) string {
	var text strings.Builder
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			data, err := os.ReadFile(path)
			text.Write(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return text.String()
}

// Ask returns what the go command knows of a module, "" of none.
func Ask(t testing.TB, module, format string) string {
	t.Helper()
	if module == "" {
		return ""
	}
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", format, module).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// Shows fails the test unless the document has text in a section of that name, or
// writes it there.
func Shows(t testing.TB, document, section, text string, write bool) {
	t.Helper()
	data, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	want := Section(string(data), section, text)
	switch {
	case write:
		if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	case want != string(data):
		t.Errorf("%s says something else: run this test with -write\n%s", document, text)
	}
}

// stands is the verdict on a library that a fault does no harm.
const stands = "stands"

// Faults compares the table of what each library does in each fault with a section
// of a document, as [Shows] does. about returns the name and the module of a
// library, "" for holdfast, which must stand all of them; a verdict of "" is
// "stands".
func Faults[L, F any](t testing.TB, document, section string, write bool, libraries []L, about func(L) (name, module string),
	faults []F, name func(F) string, verdict func(L, F) string,
) {
	t.Helper()
	table := "| fault |"
	for _, l := range libraries {
		library, module := about(l)
		table += " " + strings.TrimSpace(library+" "+Ask(t, module, "{{.Version}}")) + " |"
	}
	table += "\n|---|" + strings.Repeat("---|", len(libraries)) + "\n"
	for _, f := range faults {
		table += "| " + name(f) + " |"
		for _, l := range libraries {
			got := cmp.Or(verdict(l, f), stands)
			if library, module := about(l); module == "" && got != stands {
				t.Errorf("%s: %s %s", name(f), library, got)
			}
			table += " " + got + " |"
		}
		table += "\n"
	}
	t.Logf("\n%s", table)
	Shows(t, document, section, table, write)
}
